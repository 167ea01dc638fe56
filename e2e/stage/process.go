package stage

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A Process is a program that runs, or ran.
type Process struct {
	t       testing.TB
	path    string
	args    []string
	env     []string
	logFile string
	cmd     *exec.Cmd
	ended   chan struct{} // closed when cmd has ended and was waited for
}

// newProcess makes a process that is not started yet, and sees to its end with that of the test.
func newProcess(t testing.TB, name, logFile string, args ...string) *Process {
	p := &Process{t: t, path: Program(t, name), args: args, env: environment(), logFile: logFile}
	t.Cleanup(p.leave)
	return p
}

// environment is ours without what is meant for the programs when people call them.
func environment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "ORDERLY_") {
			env = append(env, v)
		}
	}
	return env
}

// start starts the process; what it says is added to its log.
func (p *Process) start() {
	p.t.Helper()
	if p.Running() {
		p.t.Fatalf("%s runs already", p.path)
	}
	log, err := os.OpenFile(p.logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	p.cmd = exec.Command(p.path, p.args...) //nolint:noctx // it is ended in order, by its process ID
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr, p.cmd.SysProcAttr = p.env, log, log, bound()
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	cmd, ended := p.cmd, make(chan struct{})
	p.ended = ended
	go func() { // ends with the process
		_ = cmd.Wait() // how it ended is in its state
		close(ended)
	}()
}

// Running reports whether the process was started and has not ended.
func (p *Process) Running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// PID is the ID of the process that was started last.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill kills the process, as kill -9 does, and returns when it is gone. What it started lives on.
func (p *Process) Kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
	p.Wait()
}

// Signal sends a signal, as to stop the process (SIGSTOP) and have it go on (SIGCONT).
func (p *Process) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// Stop asks the process to end (SIGTERM), as a service manager does, and returns when it is gone.
// It must end with exit code 0.
func (p *Process) Stop() {
	p.t.Helper()
	p.Signal(syscall.SIGTERM)
	if code := p.Wait(); code != 0 {
		p.t.Errorf("%s: exit code after SIGTERM = %d, want 0", p.path, code)
	}
}

// Wait waits for the end of the process and returns its exit code, -1 when a signal ended it.
func (p *Process) Wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(Patience):
		p.t.Fatalf("%s: process %d has not ended in %v", p.path, p.PID(), Patience)
	}
	return p.cmd.ProcessState.ExitCode()
}

// leave ends what the test has left running, and shows the log of a test that failed.
func (p *Process) leave() {
	if p.Running() {
		p.end()
	}
	if p.t.Failed() {
		p.t.Logf("%s %s:\n%s", p.path, strings.Join(p.args, " "), tail(p.Log()))
	}
}

func (p *Process) end() {
	_ = p.cmd.Process.Signal(syscall.SIGCONT) // if it was stopped
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // if it has not ended by itself
	select {
	case <-p.ended:
	case <-time.After(Patience):
		p.t.Errorf("%s: process %d has not ended in %v after SIGTERM", p.path, p.PID(), Patience)
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// Log is all that the process has said, in all its lives.
func (p *Process) Log() []byte {
	f, err := os.Open(p.logFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		p.t.Error(err)
		return nil
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		p.t.Error(err)
	}
	return text
}

// tail is the end of a log, in whole lines.
func tail(log []byte) []byte {
	const size = 32 << 10
	if len(log) <= size {
		return log
	}
	log = log[len(log)-size:]
	return log[bytes.IndexByte(log, '\n')+1:]
}
