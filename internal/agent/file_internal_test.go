package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/wire"
)

// aFile is one for a directory.
func aFile(dir string) *wire.File {
	return &wire.File{Name: "app.conf", Dir: dir, Content: []byte("new\n"), Mode: "0600"}
}

// Promises 2 and 3 for files: whatever an agent did last, there is what was before or the whole new file, the end arrives,
// nothing is written again, and nothing is left beside the file (HND-6).
func TestFileSurvivesAnyCrash(t *testing.T) {
	for _, overwrite := range []bool{false, true} {
		for n := -1; n <= len(steps)+1; n++ {
			t.Run(fmt.Sprintf("overwrite %t, %d steps", overwrite, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { dieAfter(t, n, overwrite) })
			})
		}
	}
}

// dieAfter lets an agent die when it has taken n steps of putting a file in its place, -1 for none that
// the journal knows of and one more than there are for the end, and looks at what the next one makes of it.
func dieAfter(t *testing.T, n int, overwrite bool) {
	f, dir := newFake(t), t.TempDir()
	file := aFile(dir)
	file.Overwrite = overwrite
	path, old := filepath.Join(dir, file.Name), ""
	if overwrite {
		old = "old, and longer than the new one"
		write(t, path, old)
	}
	f.start()
	key := orderly.TaskKey{Invocation: 1}
	records := []error{f.agent.journal.Got(whole(key), wire.Encode(wire.Job{InvokeID: "f-1", Timeout: 60_000, File: file}))}
	want := []string{"0 Success"}
	if n >= 0 {
		records = append(records, f.agent.journal.Starting(whole(key)))
		want = []string{"0 Error ClientRestarted"}
		p := &placement{file: file, temp: f.agent.tempName(whole(key))}
		if err := p.prepare(); err != nil {
			t.Fatal(err)
		}
		for _, step := range steps[:min(n, len(steps))] {
			records = append(records, step(p))
		}
		if p.body != nil {
			_ = p.body.Close() // which a step may have done: the system does it for the dead
		}
		_ = p.dir.Close()
	}
	if n > len(steps) {
		records = append(records, f.agent.journal.Ended(whole(key), (&outcome{State: orderly.Success}).encode()))
		want = []string{"0 Success"}
	}
	if err := errors.Join(records...); err != nil {
		t.Fatal(err)
	}
	before := read(path)
	f.stop()
	f.start()
	f.do(func(a *Agent) { // it is welcome
		a.uplink.welcome, a.uplink.admitted = true, true
		a.startWaiting()
	})
	f.expect("after it", want...)
	after := read(path)
	switch {
	case before != old && before != "new\n":
		t.Errorf("a part of the file was in its place: %q", before)
	case n >= 0 && after != before:
		t.Errorf("%q was there, and now %q", before, after)
	case n < 0 && after != "new\n":
		t.Errorf("what was taken up and not begun is %q", after)
	}
	if list, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(list) > 0 {
		t.Errorf("left: %q, %v", list, err)
	}
	f.stop()
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// read is what a file holds, "" when it is not there.
func read(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(data)
}

// SF-2: a file that takes long runs, and one that takes too long is not put in its place any more (T10).
func TestFileThatTakesLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, dir := newFake(t), t.TempDir()
		f.start()
		f.do(func(a *Agent) {
			task := a.add(whole(orderly.TaskKey{Invocation: 1}))
			task.running = true
			a.placing(task, time.Now())
		})
		f.sleep(time.Minute)
		if got, want := f.told(), []string{"0 Running"}; !cmp.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		p := &placement{file: aFile(dir), temp: ".temp"}
		err := p.run(func() { p.turn.Store(true) }) // the time is over while it is written
		if o := placed(time.Now(), err); o.State != orderly.Timeout || o.Code != orderly.ExecutionTimeout || o.begun.IsZero() {
			t.Errorf("%v ends it as %+v, want Timeout", err, o)
		}
		if list, err := os.ReadDir(dir); err != nil || len(list) > 0 {
			t.Errorf("left: %v, %v", list, err)
		}
		f.stop()
	})
}

// SF-3: somebody else who puts something there first is not overwritten.
func TestFileDoesNotReplaceWhatComesMeanwhile(t *testing.T) {
	dir := t.TempDir()
	p := &placement{file: aFile(dir), temp: ".temp"}
	err := p.run(func() { write(t, filepath.Join(dir, "app.conf"), "another's") })
	if o := placed(time.Now(), err); o.State != orderly.Failed || o.Code != orderly.FileAlreadyExists {
		t.Errorf("%v ends it as %+v, want Failed, FileAlreadyExists", err, o)
	}
	if got := read(filepath.Join(dir, "app.conf")); got != "another's" {
		t.Errorf("there is %q now", got)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("left: %v, %v", list, err)
	}
}

// AB-2: an agent that knows of no files sees a script of no type, and refuses it. This one does with such a job.
func TestFileIsNoScript(t *testing.T) {
	known := wire.Job{InvokeID: "f-1", Timeout: 60_000, File: aFile("/tmp")}
	known.File = nil // is what it makes of it
	if code := unfit(&known); code != orderly.CommandNotApplicable {
		t.Errorf("without its file the job is refused as %q, want CommandNotApplicable", code)
	}
	if len(known.Content) > 0 {
		t.Error("there is a script in it")
	}
}

// FuzzFile gives an agent whatever a bus may carry in place of a file: what it takes stays in its directory, and is
// whole or not there.
func FuzzFile(f *testing.F) {
	f.Add([]byte(`{"name":"a","content":"YQ==","mode":"0644"}`))
	f.Add([]byte(`{"name":"../a","content":"YQ==","over":true}`))
	f.Add([]byte(`{"name":"a\u0000","content":"!","owner":"root","group":"root"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := wire.Decode[wire.File](data)
		if err != nil {
			return
		}
		dir := t.TempDir()
		file.Dir, file.Owner, file.Group = filepath.Join(dir, "files"), "", ""
		if err := os.Mkdir(file.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if unfitFile(&file) == "" {
			p := &placement{file: &file, temp: ".orderly-temp"}
			err = p.run(func() {})
			if got := read(filepath.Join(file.Dir, file.Name)); err == nil && got != string(file.Content) {
				t.Errorf("%q holds %q, want %q", file.Name, got, file.Content)
			}
		} else {
			err = fs.ErrInvalid
		}
		found := 0
		if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				if found++; !strings.HasPrefix(path, file.Dir+string(filepath.Separator)) {
					t.Errorf("%s was written", path)
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if found > 1 || (found == 1) != (err == nil) {
			t.Errorf("%d files are there after %v", found, err)
		}
	})
}
