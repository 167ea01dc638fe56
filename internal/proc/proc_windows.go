package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// killedCode is the exit code that os.Process.Kill and taskkill /F give.
const killedCode = 1

// prepare knows only the current user, which System stands for too: another one needs a password, which
// Spec has not.
func prepare(cmd *exec.Cmd, username string) (home string, err error) {
	if username != "" && !strings.EqualFold(username, "System") {
		return "", fmt.Errorf("%w: %q", ErrOtherUser, username)
	}
	if cmd.Env == nil {
		if cmd.Env, err = loginEnviron(); err != nil {
			return "", fmt.Errorf("read the user's environment: %w", err)
		}
	}
	return os.Getwd() // CMD-7: the agent's own directory
}

// loginEnviron is the environment that the system gives the current user, without this process's own.
func loginEnviron() ([]string, error) {
	token, err := windows.OpenCurrentProcessToken()
	if err != nil {
		return nil, err
	}
	defer token.Close()
	return token.Environ(false)
}

func barred(*exec.Cmd, error) bool { return false }

func mayEnter(*exec.Cmd) bool { return true }

func leftover(*os.File, *tail) {}

func exitCode(s *os.ProcessState) (code int, ok bool) {
	if s == nil {
		return 0, false
	}
	return s.ExitCode(), true
}

func wasKilled(s *os.ProcessState) bool { return s != nil && s.ExitCode() == killedCode }

// begin starts the process, in a job of its own if it is to be killed with its descendants. It starts
// suspended, so that it has no child before it is in the job.
func (p *Process) begin() error {
	if !p.spec.KillTree {
		return p.cmd.Start()
	}
	if p.cmd.SysProcAttr == nil {
		p.cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	p.cmd.SysProcAttr.CreationFlags |= windows.CREATE_SUSPENDED
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.tree.join(p.cmd.Process) // without a job its descendants are looked for
	err := resume(p.PID())
	if err != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait() // that it was killed is no news
		p.tree.release(nil)
	}
	return err
}

// A tree is a job. It lives on for a process that has ended: what it started is to go on then.
type tree struct {
	job windows.Handle // 0 without one
}

func (t *tree) join(p *os.Process) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return
	}
	assigned := errors.ErrUnsupported
	err = p.WithHandle(func(h uintptr) { assigned = windows.AssignProcessToJobObject(job, windows.Handle(h)) })
	if errors.Join(err, assigned) != nil {
		_ = windows.CloseHandle(job) // nobody is in it
		return
	}
	t.job = job
}

// resume lets a process run that was started suspended: it has one thread.
func resume(pid int) error {
	list, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPTHREAD, 0)
	if err != nil {
		return fmt.Errorf("list threads: %w", err)
	}
	defer windows.CloseHandle(list)
	e := windows.ThreadEntry32{Size: uint32(unsafe.Sizeof(windows.ThreadEntry32{}))}
	for err = windows.Thread32First(list, &e); err == nil; err = windows.Thread32Next(list, &e) {
		if e.OwnerProcessID != uint32(pid) {
			continue
		}
		thread, err := windows.OpenThread(windows.THREAD_SUSPEND_RESUME, false, e.ThreadID)
		if err != nil {
			return fmt.Errorf("open thread: %w", err)
		}
		defer windows.CloseHandle(thread)
		_, err = windows.ResumeThread(thread)
		return err
	}
	return fmt.Errorf("find the thread of process %d: %w", pid, err)
}

func (t *tree) kill(p *Process) error {
	if t.job == 0 {
		return killDescendants(p.PID())
	}
	if err := windows.TerminateJobObject(t.job, killedCode); err != nil {
		return fmt.Errorf("terminate the job of process %d: %w", p.PID(), err)
	}
	return nil
}

func (t *tree) release(*Cgroups) {
	if t.job != 0 {
		_ = windows.CloseHandle(t.job) // it ends with its last process
	}
}

// ask has no way to ask: a process without a window and without our console hears nothing.
func (*Process) ask() bool { return false }

func killDescendants(pid int) error {
	if out, err := exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(pid)).CombinedOutput(); err != nil {
		return fmt.Errorf("kill tree of process %d: %w: %s", pid, err, out)
	}
	return nil
}

// startTime is in units of 100 ns since 1601.
func startTime(pid int) (uint64, error) {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return 0, err
	}
	defer windows.CloseHandle(h)
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(h, &created, &exited, &kernel, &user); err != nil {
		return 0, err
	}
	return uint64(created.HighDateTime)<<32 | uint64(created.LowDateTime), nil
}

// KillRecorded kills a process, if it still runs, and with KillTree its descendants: its job went with
// whoever started it.
func KillRecorded(r Recorded) error {
	if now, err := startTime(r.PID); err != nil || now != r.StartTime {
		return nil // it is gone
	}
	if r.KillTree {
		return killDescendants(r.PID)
	}
	p, err := os.FindProcess(r.PID)
	if err != nil {
		return nil // it ended just now
	}
	defer p.Release()
	if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill process %d: %w", r.PID, err)
	}
	return nil
}

// Find finds nothing on this system, which does not show environments.
func Find(string) (pid int, started uint64, ok bool) { return 0, 0, false }
