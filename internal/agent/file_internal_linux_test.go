package agent

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/wire"
)

const nobody = 65534

// asNobody runs f on a thread of its own that has the rights of the user nobody, and ends with it.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	done := make(chan syscall.Errno, 1)
	go func() {
		runtime.LockOSThread()
		_, _, errno := syscall.RawSyscall(syscall.SYS_SETRESGID, nobody, nobody, nobody)
		if errno == 0 {
			_, _, errno = syscall.RawSyscall(syscall.SYS_SETRESUID, nobody, nobody, nobody)
		}
		if errno == 0 {
			f()
		}
		done <- errno
	}()
	if errno := <-done; errno != 0 {
		t.Fatal(errno)
	}
}

// SF-3: what an agent may not do is Failed; without an owner that is asked for, the file is the agent's own.
func TestFileOfAnAgentThatIsNotRoot(t *testing.T) {
	open, closed := filepath.Join(t.TempDir(), "open"), filepath.Join(t.TempDir(), "closed")
	for dir, mode := range map[string]os.FileMode{open: 0o777, closed: 0o700} {
		if err := os.Mkdir(dir, mode); err != nil {
			t.Fatal(err)
		}
		for _, d := range []string{filepath.Dir(filepath.Dir(dir)), filepath.Dir(dir)} {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	asNobody(t, func() {
		for name, c := range map[string]struct {
			change func(*wire.File)
			state  orderly.State
			code   orderly.ErrorCode
		}{
			"own":       {func(*wire.File) {}, orderly.Success, ""},
			"nobody's":  {func(f *wire.File) { f.Owner = "nobody" }, orderly.Success, ""},
			"root's":    {func(f *wire.File) { f.Owner = "root" }, orderly.Failed, orderly.FileAuthorityInvalid},
			"of root":   {func(f *wire.File) { f.Group = "root" }, orderly.Failed, orderly.FileAuthorityInvalid},
			"elsewhere": {func(f *wire.File) { f.Dir = closed }, orderly.Failed, orderly.FileCreateFail},
			"below":     {func(f *wire.File) { f.Dir = filepath.Join(closed, "a") }, orderly.Failed, orderly.FileCreateFail},
		} {
			file := aFile(open)
			file.Name = name
			c.change(file)
			p := &placement{file: file, temp: ".temp"}
			err := p.run(func() {})
			if o := placed(time.Now(), err); o.State != c.state || o.Code != c.code || o.begun.IsZero() {
				t.Errorf("%s: %v, which is %+v, want %s %s", name, err, o, c.state, c.code)
			}
		}
	})
	list, err := os.ReadDir(open)
	if err != nil || len(list) != 2 {
		t.Fatalf("there are %v, %v", list, err)
	}
	for _, e := range list {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if s := info.Sys().(*syscall.Stat_t); s.Uid != nobody || info.Mode() != 0o600 {
			t.Errorf("%s has user %d and mode %v", e.Name(), s.Uid, info.Mode())
		}
	}
}
