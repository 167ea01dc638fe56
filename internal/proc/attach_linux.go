package proc

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// signalled is what a shell adds to the number of a signal that ended a process.
const signalled = 128

// Attach takes charge of a process that another program has started, as if Start had. Of spec only Timeout, Grace,
// KillTree, Keep, Drain and Mark count; the process must have been given the mark (see MarkVariable), or be known by Guest.Ours, and lead a session. Its
// error is ErrForeign when there is no such process that we can see, or may signal. The guest is the Process's from then on; with an error
// it stays the caller's.
func Attach(spec Spec, g Guest) (*Process, error) {
	p := newProcess(spec)
	p.guest = &guest{Guest: g, pidfd: -1}
	if err := p.guest.find(spec.Mark); err != nil {
		return nil, err
	}
	p.startTime = p.guest.root.start
	p.result.Started = cmp.Or(g.Started, time.Now())
	go p.run(g.Output)
	return p, nil
}

// A guest is a Guest and what is known of its process.
type guest struct {
	Guest
	root  process // nothing when it has ended
	pidfd int     // -1 when it has ended
	code  int
	known bool // code is
}

// Bounds of looking at a guest.
const (
	findBound = 200 * time.Millisecond // how long a process that was started may take to execute its program
	waitPause = 20 * time.Millisecond  // between looks where nobody tells of an end, before Linux 5.3
)

// find makes sure that the process is the one. It has the mark, but for one that has not executed its program yet, or
// has executed another one without it since.
func (g *guest) find(mark string) error {
	if g.PID <= 0 || mark == "" {
		return nil
	}
	fd, err := unix.PidfdOpen(g.PID, 0)
	switch {
	case errors.Is(err, unix.ESRCH):
		return nil
	case errors.Is(err, unix.ENOSYS):
		fd = -1
	case err != nil:
		return fmt.Errorf("%w: process %d: %w", ErrForeign, g.PID, err)
	}
	g.pidfd = fd
	for end := time.Now().Add(findBound); ; time.Sleep(killPause) {
		p, err := readStat(g.PID)
		if err != nil || !p.alive() {
			return g.close()
		}
		if found, _ := markOf(g.PID); p.session == g.PID && (found == mark || g.Ours != nil && g.Ours(g.PID)) {
			g.root = p
			return nil
		}
		if time.Now().After(end) {
			_ = g.close()
			return fmt.Errorf("%w: process %d does not have the mark", ErrForeign, g.PID)
		}
	}
}

// close gives up the process's descriptor.
func (g *guest) close() error {
	if g.pidfd < 0 {
		return nil
	}
	fd := g.pidfd
	g.pidfd = -1
	return unix.Close(fd)
}

// wait waits until the process has ended, and asks with what code.
func (g *guest) wait() error {
	err := g.awaitEnd()
	if err == nil {
		g.code, g.known = g.Code()
	}
	return errors.Join(err, g.close())
}

func (g *guest) awaitEnd() error {
	for g.pidfd < 0 && g.root.current().alive() {
		time.Sleep(waitPause)
	}
	for g.pidfd >= 0 {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(g.pidfd), Events: unix.POLLIN}}, -1)
		switch {
		case n > 0:
			return nil
		case err != nil && !errors.Is(err, unix.EINTR):
			return fmt.Errorf("wait for process %d: %w", g.PID, err)
		}
	}
	return nil
}

func (g *guest) exitCode() (code int, known bool) { return g.code, g.known }

func (g *guest) wasKilled() bool { return g.known && g.code == signalled+int(unix.SIGKILL) }

// ended reports whether the process had ended before it was attached to.
func (g *guest) ended() bool { return g.root.pid == 0 }

// send sends a signal to the process alone.
func (g *guest) send(sig os.Signal) error {
	n, ok := sig.(unix.Signal)
	if !ok || !g.root.current().alive() {
		return os.ErrProcessDone
	}
	return g.root.signal(n)
}
