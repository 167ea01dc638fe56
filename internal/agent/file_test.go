//go:build unix

package agent_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/agent"
	"github.com/orderly-run/orderly/internal/wire"
)

// put sends a file, app.conf for a directory of the world's own, with changes.
func (w *world) put(seq int64, change func(*wire.File)) orderly.TaskKey {
	w.t.Helper()
	f := &wire.File{Name: "app.conf", Dir: filepath.Join(w.dir, "files"), Content: []byte("new\n")}
	change(f)
	return w.run(seq, "", func(_ *wire.Run, j *wire.Job) {
		*j = wire.Job{InvokeID: fmt.Sprint("f-hz0", seq), Timeout: 60_000, File: f}
	})
}

// onDisk is a file as a test compares it.
type onDisk struct {
	Content  string
	Mode     fs.FileMode
	UID, GID uint32
}

func look(t *testing.T, path string) onDisk {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	info, err := os.Lstat(path)
	must(t, err)
	s := info.Sys().(*syscall.Stat_t)
	return onDisk{string(content), info.Mode(), s.Uid, s.Gid}
}

// listing is what a directory holds.
func listing(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// SF-1: a file is there with all that was asked for, in a directory that is made, and nothing else is.
func TestFileTakesItsPlace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	w := newWorld(t)
	w.start()
	dir := filepath.Join(w.dir, "a", "b")
	for i, c := range []struct {
		change func(*wire.File)
		want   onDisk
	}{
		{func(*wire.File) {}, onDisk{"new\n", 0o644, 0, 0}},
		{func(f *wire.File) { f.Mode, f.Owner, f.Group = "0640", "daemon", "daemon" }, onDisk{"new\n", 0o640, 1, 1}},
		{func(f *wire.File) { f.Mode, f.Owner = "4755", "daemon" }, onDisk{"new\n", 0o755 | fs.ModeSetuid, 1, 0}},
		{func(f *wire.File) { f.Mode, f.Content = "400", []byte("\x00\xff") }, onDisk{"\x00\xff", 0o400, 0, 0}},
	} {
		name := fmt.Sprint("file ", i)
		got := w.end(w.put(int64(i), func(f *wire.File) { f.Dir, f.Name = dir, name; c.change(f) }))
		if got.StartedAgo == nil || got.EndedAgo == nil {
			t.Errorf("%s: without times: %+v", name, got)
		}
		got.StartedAgo, got.EndedAgo = nil, nil
		if diff := cmp.Diff(wire.Snapshot{TaskKey: key(int64(i)), Number: wire.EndNumber, State: orderly.Success}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(c.want, look(t, filepath.Join(dir, name))); diff != "" {
			t.Errorf("%s on the disk (-want +got):\n%s", name, diff)
		}
	}
	if got := listing(t, dir); len(got) != 4 {
		t.Errorf("the directory holds %q", got)
	}
	info, err := os.Stat(dir)
	must(t, err)
	if info.Mode().Perm() != 0o755 {
		t.Errorf("the directory has mode %v", info.Mode())
	}
}

// SF-3: what cannot be is told of with its code, what is there stays, and nothing is left behind.
func TestFileThatCannotBe(t *testing.T) {
	w := newWorld(t)
	w.start()
	dir := filepath.Join(w.dir, "files")
	must(t, os.MkdirAll(filepath.Join(dir, "folder"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "old"), []byte("old"), 0o600))
	must(t, os.Symlink("/no/such", filepath.Join(dir, "link")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	before := listing(t, dir)
	for i, c := range []struct {
		change func(*wire.File)
		state  orderly.State
		code   orderly.ErrorCode
	}{
		{func(f *wire.File) { f.Name = "old" }, orderly.Invalid, orderly.FileAlreadyExists},
		{func(f *wire.File) { f.Name = "link" }, orderly.Invalid, orderly.FileAlreadyExists},
		{func(f *wire.File) { f.Name = "folder" }, orderly.Invalid, orderly.FileAlreadyExists},
		{func(f *wire.File) { f.Name, f.Overwrite = "folder", true }, orderly.Failed, orderly.FileCreateFail},
		{func(f *wire.File) { f.Name, f.Overwrite = "pipe", true }, orderly.Failed, orderly.FileCreateFail},
		{func(f *wire.File) { f.Name = "" }, orderly.Invalid, orderly.FileNameInvalid},
		{func(f *wire.File) { f.Name = "." }, orderly.Invalid, orderly.FileNameInvalid},
		{func(f *wire.File) { f.Name = ".." }, orderly.Invalid, orderly.FileNameInvalid},
		{func(f *wire.File) { f.Name = "../app.conf" }, orderly.Invalid, orderly.FileNameInvalid},
		{func(f *wire.File) { f.Name = "/etc/app.conf" }, orderly.Invalid, orderly.FileNameInvalid},
		{func(f *wire.File) { f.Name = "a\x00b" }, orderly.Invalid, orderly.FileNameInvalid},
		{func(f *wire.File) { f.Name = strings.Repeat("é", 128) }, orderly.Invalid, orderly.FileNameInvalid},
		{func(f *wire.File) { f.Content = nil }, orderly.Invalid, orderly.FileContentInvalid},
		{func(f *wire.File) { f.Dir = "files" }, orderly.Invalid, orderly.FilePathInvalid},
		{func(f *wire.File) { f.Dir = `C:\files` }, orderly.Invalid, orderly.FilePathInvalid},
		{func(f *wire.File) { f.Dir = filepath.Join(dir, "old") }, orderly.Invalid, orderly.FilePathInvalid},
		{func(f *wire.File) { f.Dir = filepath.Join(dir, "old", "below") }, orderly.Invalid, orderly.FilePathInvalid},
		{func(f *wire.File) { f.Dir = "/" + strings.Repeat("x", 256) }, orderly.Invalid, orderly.FilePathInvalid},
		{func(f *wire.File) { f.Dir = "/proc/1/x" }, orderly.Failed, orderly.FileCreateFail},
		{func(f *wire.File) { f.Dir = "/proc/1" }, orderly.Failed, orderly.FileCreateFail},
		{func(f *wire.File) { f.Mode = "rw" }, orderly.Invalid, orderly.FileAuthorityInvalid},
		{func(f *wire.File) { f.Mode = "07777" }, orderly.Invalid, orderly.FileAuthorityInvalid},
		{func(f *wire.File) { f.Owner = "no-such-user" }, orderly.Invalid, orderly.AccountNotExists},
		{func(f *wire.File) { f.Group = "no-such-group" }, orderly.Invalid, orderly.UserGroupNotExists},
	} {
		got := w.end(w.put(int64(i), c.change))
		if got.State != c.state || got.Code != c.code || (got.StartedAgo == nil) != (c.state == orderly.Invalid) || got.ExitCode != nil {
			t.Errorf("case %d: %+v, want %s %s", i, got, c.state, c.code)
		}
	}
	if diff := cmp.Diff(before, listing(t, dir)); diff != "" {
		t.Errorf("what there is (-before +after):\n%s", diff)
	}
	if got := look(t, filepath.Join(dir, "old")).Content; got != "old" {
		t.Errorf("what was there is now %q", got)
	}
}

// SF-1: with Overwrite the new file is in the place of the old one, and of a link, which is not followed.
func TestFileReplacesAnother(t *testing.T) {
	w := newWorld(t)
	w.start()
	dir := filepath.Join(w.dir, "files")
	must(t, os.Mkdir(dir, 0o700))
	other := filepath.Join(w.dir, "other")
	must(t, os.WriteFile(other, []byte("another's"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "old"), []byte("old, and longer than the new one"), 0o600))
	must(t, os.Symlink(other, filepath.Join(dir, "link")))
	for i, name := range []string{"old", "link"} {
		if s := w.end(w.put(int64(i), func(f *wire.File) { f.Name, f.Overwrite = name, true })); s.State != orderly.Success {
			t.Errorf("%s: %+v, want Success", name, s)
		}
		if got := look(t, filepath.Join(dir, name)); got.Content != "new\n" || got.Mode != 0o644 {
			t.Errorf("%s is %+v", name, got)
		}
	}
	if got := look(t, other); got.Content != "another's" {
		t.Errorf("where the link led there is %q", got.Content)
	}
	if got := listing(t, dir); len(got) != 2 {
		t.Errorf("the directory holds %q", got)
	}
}

// Promise 2: a file is written once, whatever is repeated, also after the end was acknowledged and after the agent was
// started again.
func TestRedeliveryDoesNotWriteTwice(t *testing.T) {
	w := newWorld(t)
	a := w.start(endOnly)
	again := func() {
		w.t.Helper()
		w.put(1, func(f *wire.File) { f.Overwrite = true })
	}
	path := filepath.Join(w.dir, "files", "app.conf")
	w.set(func() { w.silent = true })
	again()
	w.end(key(1))
	must(t, os.WriteFile(path, []byte("edited"), 0o600))
	again()
	w.until("told again", func() bool { return w.count(key(1), orderly.Success) > 1 })
	must(t, a.stop())
	w.set(func() { w.hellos, w.reports = nil, nil })
	w.start()
	w.end(key(1))
	again()
	w.set(func() { w.silent = false })
	w.end(w.run(2, "true"))
	again()
	w.end(w.run(3, "true"))
	if got := look(t, path).Content; got != "edited" {
		t.Errorf("the file is %q after its first writing and an edit", got)
	}
}

// The content of a file is in no log, however much is logged.
func TestFilesAreNotLogged(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	a := w.start(func(c *agent.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	secret := []byte("a secret of ours")
	w.end(w.put(1, func(f *wire.File) { f.Content = secret }))
	w.end(w.put(2, func(f *wire.File) { f.Content = secret })) // which is told of: it is there already
	w.end(w.put(3, func(f *wire.File) { f.Content, f.Mode = secret, "x" }))
	must(t, a.stop())
	if s := log.String(); strings.Contains(s, "secret") || strings.Contains(s, "YSBzZWNyZXQ") || !strings.Contains(s, "FileAlreadyExists") {
		t.Errorf("the log says:\n%s", s)
	}
}
