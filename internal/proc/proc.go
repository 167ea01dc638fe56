package proc

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

const (
	defaultKeep  = 24576
	defaultDrain = 100 * time.Millisecond
	markVariable = "ORDERLY_TASK"
)

// What a caller can tell apart when Start fails. Any other error means that the system could not
// start the process.
var (
	ErrNoSuchUser = errors.New("no such user") // Spec.Username is unknown
	ErrOtherUser  = errors.New("only root may run as another user")
	ErrNoSuchDir  = errors.New("no such directory")               // Spec.Dir is no directory that the user may enter
	ErrNoHome     = errors.New("home directory is not available") // Spec.Dir is empty, and the same is true of the user's home
	ErrForeign    = errors.New("not a process of ours")           // of Attach
)

// MarkVariable is the entry of an environment by which a process with a mark is found: for who starts one by
// another program.
func MarkVariable(mark string) string { return markVariable + "=" + mark }

// A Spec says what to run. The zero value of each field but Path is usable.
type Spec struct {
	Path     string        // the program; without a slash it is looked for in the caller's PATH
	Args     []string      // its arguments, without the program's own name
	Dir      string        // working directory; "": the home of the user it runs as (CMD-7)
	Env      []string      // "NAME=value"; nil: what a login of the user finds
	Username string        // "": the current user; another one needs root
	Timeout  time.Duration // time until it is ended; 0: no limit
	Grace    time.Duration // between asking it to end and killing it; 0: it is killed at once
	KillTree bool          // Stop and Timeout end all descendants too
	Cgroups  *Cgroups      // where to find them better than by looking for them; nil: nowhere
	Keep     int           // bytes of output kept, the last ones; 0: 24576
	Drain    time.Duration // how long to wait for output others still hold open; 0: 100 ms
	Mark     string        // by which Find finds it: unique, and no secret; "": a random one
}

// A Process is a running process, or one that has ended. Its methods may be called by anyone at any
// time.
type Process struct {
	cmd       *exec.Cmd
	guest     *guest // in place of cmd when it was attached to
	spec      Spec
	startTime uint64
	tree      tree // of run alone, but for its start
	out       *tail
	result    Result // written by run alone; readable once done is closed
	stop      chan struct{}
	done      chan struct{}

	mu     sync.Mutex
	killAt time.Time // when it is to be dead; zero while nobody wants that
}

// A Result is how a process ended.
type Result struct {
	ExitCode int   // 128 + signal when a signal ended it (EXI-1)
	HasCode  bool  // whether the system told an exit code at all
	TimedOut bool  // it ended because of Spec.Timeout: its exit code tells whether it had to be killed
	Stopped  bool  // it ended because of Stop
	Err      error // it could not be waited for, or not be killed (as a whole)
	Started  time.Time
	Ended    time.Time
}

// A Guest is a process that another program has started at our request, and alone can wait for, as a container
// engine does.
type Guest struct {
	PID     int                            // as we see it; 0 when it has ended already
	Started time.Time                      // zero for now
	Output  io.ReadCloser                  // ends with the last who writes it
	Ours    func(pid int) bool             // whether that process is the one, for whom its mark does not tell; nil is no
	Code    func() (exitCode int, ok bool) // is called once, when the process has ended; it may take its time to find out
}

// A Recorded is a process as somebody noted it who started it and has died since.
type Recorded struct {
	PID       int
	StartTime uint64
	Mark      string   // Spec.Mark
	KillTree  bool     // Spec.KillTree
	Cgroups   *Cgroups // opened with the same prefix
}

// Start starts a process as spec says, in a session of its own with nothing on its standard input.
// The caller need not call Wait: the process is reaped in any case.
func Start(spec Spec) (*Process, error) {
	spec.Mark = cmp.Or(spec.Mark, rand.Text())
	p := newProcess(spec)
	if err := p.prepare(); err != nil {
		return nil, err
	}
	out, err := p.launch()
	if barred(p.cmd, err) {
		return nil, p.spec.noDir(p.cmd.Dir)
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Path, err)
	}
	go p.run(out)
	return p, nil
}

func newProcess(spec Spec) *Process {
	spec.Keep = cmp.Or(spec.Keep, defaultKeep)
	spec.Drain = cmp.Or(spec.Drain, defaultDrain)
	return &Process{
		spec: spec,
		out:  &tail{keep: spec.Keep},
		stop: make(chan struct{}, 1),
		done: make(chan struct{}),
	}
}

// Check finds what would make Start fail before it tries: its errors are those of Start.
func Check(spec Spec) error {
	p := &Process{spec: spec}
	if err := p.prepare(); err != nil {
		return err
	}
	if p.cmd.Err == nil && !mayEnter(p.cmd) {
		return p.spec.noDir(p.cmd.Dir)
	}
	return p.cmd.Err
}

func (p *Process) prepare() error {
	cmd := exec.Command(p.spec.Path, p.spec.Args...) //nolint:noctx // Stop ends it, which knows of descendants
	cmd.Env = p.spec.Env
	home, err := prepare(cmd, p.spec.Username)
	if err != nil {
		return err
	}
	if cmd.Dir, err = p.spec.workingDir(home); err != nil {
		return err
	}
	cmd.Env = append(cmd.Env[:len(cmd.Env):len(cmd.Env)], markVariable+"="+p.spec.Mark)
	p.cmd = cmd
	return nil
}

// workingDir is where the process starts.
func (s *Spec) workingDir(home string) (string, error) {
	dir := cmp.Or(s.Dir, home)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", s.noDir(dir)
	}
	return dir, nil
}

// noDir says that the process cannot start in dir.
func (s *Spec) noDir(dir string) error {
	if s.Dir == "" {
		return fmt.Errorf("%w: %q", ErrNoHome, dir)
	}
	return fmt.Errorf("%w: %q", ErrNoSuchDir, dir)
}

// launch returns the end of the pipe that the process's output comes from.
func (p *Process) launch() (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	p.result.Started = time.Now()
	err = p.begin()
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	p.startTime, _ = startTime(p.cmd.Process.Pid) // not reaped yet, so it is there
	return r, nil
}

// PID is the process's number, 0 when it had ended before it was attached to.
func (p *Process) PID() int {
	switch {
	case p.guest == nil:
		return p.cmd.Process.Pid
	case p.guest.ended():
		return 0
	}
	return p.guest.PID
}

// StartTime is when the system says the process started, in a unit of its own. Together with PID it
// names the process among all since the machine booted. It is 0 where the system does not tell.
func (p *Process) StartTime() uint64 { return p.startTime }

// Stop has the process ended and returns at once; Wait tells what came of it. It has no effect on a
// process that has ended.
func (p *Process) Stop() { p.StopWithin(p.spec.Grace) }

// StopWithin is Stop with another grace. Of several the one that is over first counts.
func (p *Process) StopWithin(grace time.Duration) {
	p.limit(grace)
	select {
	case p.stop <- struct{}{}:
	default:
	}
}

// limit has the process killed when grace is over.
func (p *Process) limit(grace time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := time.Now().Add(grace); p.killAt.IsZero() || at.Before(p.killAt) {
		p.killAt = at
	}
}

// left is how long until the process is to be killed.
func (p *Process) left() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.killAt)
}

// Output returns a copy of the output's last bytes, at most Spec.Keep, and how many bytes there
// were in all until now.
func (p *Process) Output() (data []byte, total int64) { return p.out.snapshot() }

// Written is how many bytes of output there were in all until now.
func (p *Process) Written() int64 { return p.out.written() }

// Done is closed when the process has ended and its output is complete.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits until the process has ended and its output is complete. With Spec.KillTree and
// TimedOut or Stopped, no descendant is alive when it returns, unless Result.Err says so.
func (p *Process) Wait() Result {
	<-p.done
	return p.result
}

// run owns the process from its start to its end, and every goroutine it takes.
func (p *Process) run(out io.ReadCloser) {
	defer close(p.done)
	defer p.tree.release(p.spec.Cgroups) // before done: Cgroups.Wait waits for the groups of what has ended
	drained := make(chan bool, 1)
	go func() { drained <- p.out.drain(out) }()
	exited := make(chan error, 1)
	go func() { exited <- p.wait() }()

	p.supervise(exited)
	p.result.Ended = time.Now()
	p.result.ExitCode, p.result.HasCode = p.exitCode()
	finish(out, p.out, drained, p.spec.Drain)
}

// wait waits until the process has ended.
func (p *Process) wait() error {
	if p.guest != nil {
		return p.guest.wait()
	}
	return p.cmd.Wait()
}

func (p *Process) exitCode() (code int, ok bool) {
	if p.guest != nil {
		return p.guest.exitCode()
	}
	return exitCode(p.cmd.ProcessState)
}

func (p *Process) wasKilled() bool {
	if p.guest != nil {
		return p.guest.wasKilled()
	}
	return wasKilled(p.cmd.ProcessState)
}

// signal reaches the process alone.
func (p *Process) signal(sig os.Signal) error {
	if p.guest != nil {
		return p.guest.send(sig)
	}
	return p.cmd.Process.Signal(sig)
}

// supervise returns when the process has ended, by itself or by us.
func (p *Process) supervise(exited <-chan error) {
	var timeout <-chan time.Time
	if p.spec.Timeout > 0 {
		timer := time.NewTimer(p.spec.Timeout)
		defer timer.Stop()
		timeout = timer.C
	}
	var timedOut bool
	select {
	case err := <-exited:
		p.result.Err = waitError(err)
		return
	case <-timeout:
		p.limit(p.spec.Grace)
		timedOut = true
	case <-p.stop:
	}
	var own bool
	if own, p.result.Err = p.end(exited); !own {
		p.result.TimedOut, p.result.Stopped = timedOut, !timedOut
	}
}

// end asks the process to end, and kills it when its time is over, or when it is gone what is left of
// its tree. It was its own end when it came before that.
func (p *Process) end(exited <-chan error) (own bool, err error) {
	asked := p.left() > 0 && p.ask()
	gone := asked && p.await(exited, &err)
	var killErr error
	if !gone || p.spec.KillTree {
		killErr = p.kill()
	}
	if !gone {
		err = <-exited
	}
	return !asked && !p.wasKilled(), errors.Join(killErr, waitError(err))
}

// await waits until the process is gone or its time is over.
func (p *Process) await(exited <-chan error, err *error) (gone bool) {
	timer := time.NewTimer(p.left())
	defer timer.Stop()
	for {
		select {
		case *err = <-exited:
			return true
		case <-timer.C:
			return false
		case <-p.stop: // somebody has less patience
			timer.Reset(p.left())
		}
	}
}

func (p *Process) kill() error {
	switch {
	case p.PID() == 0:
		return nil // it has ended by itself
	case !p.spec.KillTree:
		return p.killAlone()
	}
	err := p.tree.kill(p)
	if p.startTime == 0 { // nobody could tell it from one that had its number before
		err = errors.Join(err, p.killAlone())
	}
	return err
}

// killAlone needs no start time: the process is ours until it was waited for.
func (p *Process) killAlone() error {
	if err := p.signal(os.Kill); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill process %d: %w", p.PID(), err)
	}
	return nil
}

// waitError leaves out what is no fault of waiting: an exit code or a signal.
func waitError(err error) error {
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil
	}
	return err
}

// finish reads what is left of a dead process's output and closes its pipe. Usually the end of
// file is there at once; if a descendant holds the pipe open, it waits no longer than that.
func finish(source io.ReadCloser, out *tail, drained <-chan bool, wait time.Duration) {
	defer source.Close()
	r, ok := source.(*os.File)
	if !ok || r.SetReadDeadline(time.Now().Add(wait)) != nil {
		select { // no deadlines: the reader ends when the last writer does
		case <-drained:
		case <-time.After(wait):
		}
		return
	}
	if complete := <-drained; !complete {
		leftover(r, out)
	}
}
