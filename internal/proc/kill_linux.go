package proc

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	killBound   = 5 * time.Second // how long a kill may take before it is given up
	killPause   = time.Millisecond
	calmRounds  = 2  // this many looks in a row without a find: nobody is left
	doubtRounds = 50 // looks that may be repeated because others start processes meanwhile
)

// KillRecorded kills the process that had this number and start time, if it still runs, and with
// tree all its descendants. It is for a process started by a killer that has died since; the
// numbers mean nothing after the machine was booted again. It returns when they are gone. A
// process that had ended before is no error, and its descendants are left alone.
func KillRecorded(pid int, started uint64, tree bool) error {
	p := process{pid: pid, start: started}.current()
	if !p.alive() {
		return nil
	}
	if tree {
		mark, _ := environ(pid, markVariable)
		return errors.Join(killTree(pid, started, mark), p.await())
	}
	if err := p.signal(unix.SIGKILL); err != nil {
		return fmt.Errorf("kill process %d: %w", pid, err)
	}
	return p.await()
}

// Find returns the process that was started with this Spec.Mark, if it still runs, else its oldest
// descendant that leads a session. It is for a killer that died after Start and before it could
// record the numbers which KillRecorded needs.
func Find(mark string) (pid int, started uint64, ok bool) {
	for _, candidate := range listPIDs() {
		found, _ := environ(candidate, markVariable)
		if found != mark || mark == "" {
			continue
		}
		p, err := readStat(candidate)
		if err != nil || !p.alive() || p.session != candidate {
			continue
		}
		if !ok || p.start < started { // descendants have the mark too, and may lead sessions
			pid, started, ok = candidate, p.start, true
		}
	}
	return pid, started, ok
}

func (p process) await() error {
	for end := time.Now().Add(killBound); p.current().alive(); time.Sleep(killPause) {
		if time.Now().After(end) {
			return fmt.Errorf("process %d is killed but does not end", p.pid)
		}
	}
	return nil
}

// killTree kills a process that leads a session, and its descendants. It returns when all but
// itself are gone.
func killTree(pid int, started uint64, mark string) error {
	h := &hunt{
		root:     pid,
		start:    started,
		mark:     mark,
		known:    map[int]uint64{pid: started},
		families: map[int]bool{pid: true},
		lastPID:  lastPID(),
	}
	root := process{pid: pid, start: started}
	h.signal(root, unix.SIGSTOP)
	h.repeat(unix.SIGSTOP)
	h.repeat(unix.SIGKILL)
	h.signal(root, unix.SIGKILL)
	if !h.repeat(unix.SIGKILL) { // once more, in case somebody had let the root go on
		h.note(fmt.Errorf("tree of process %d is killed but does not end", pid))
	}
	return h.err
}

// A hunt is the search for one process's descendants.
type hunt struct {
	root     int
	start    uint64 // nobody who started before is a descendant
	mark     string
	known    map[int]uint64 // who was found, with start times
	families map[int]bool   // process groups and sessions that those found are in
	lastPID  int            // every process up to here was looked at
	err      error
}

// repeat sends sig to every descendant but the root until there is nobody left to send it to:
// nobody new for SIGSTOP, nobody alive for SIGKILL. It tells whether that came within killBound.
func (h *hunt) repeat(sig unix.Signal) bool {
	end := time.Now().Add(killBound)
	for calm, doubts := 0, 0; calm < calmRounds; {
		hits, sure := h.sweep(sig)
		switch {
		case hits == 0 && (sure || doubts >= doubtRounds):
			calm++
		case hits == 0:
			doubts++
		default:
			calm = 0
		}
		if time.Now().After(end) {
			return false
		}
		if hits > 0 && sig == unix.SIGKILL {
			time.Sleep(killPause) // the dead need a moment
		}
	}
	return true
}

// sweep looks at every process once. It is not sure when one came and went unseen meanwhile, which
// may have been a descendant that left a child behind.
func (h *hunt) sweep(sig unix.Signal) (hits int, sure bool) {
	sure = true
	seen := make(map[int]bool)
	for _, pid := range listPIDs() {
		seen[pid] = true
		hit, clear := h.consider(pid, sig)
		sure = sure && clear
		hits += hit
	}
	last := lastPID()
	if last < h.lastPID || last > h.lastPID+1000 { // the numbers began anew, or too many to look at
		h.lastPID, sure = last, false
	}
	for ; h.lastPID < last; h.lastPID++ {
		pid := h.lastPID + 1
		if seen[pid] || ownThread(pid) {
			continue
		}
		hit, clear := h.consider(pid, sig)
		sure = sure && clear
		hits += hit
	}
	return hits, sure
}

// consider sends sig to one process if it is a descendant that needs it. The answer is clear unless
// the process vanished or was just executing another program, when it has no environment.
func (h *hunt) consider(pid int, sig unix.Signal) (hit int, clear bool) {
	p, err := readStat(pid)
	if err != nil {
		return 0, pid <= h.lastPID
	}
	if pid == h.root || p.start < h.start || !p.alive() || p.isKernel() || pid == os.Getpid() {
		return 0, true
	}
	ours, clear := h.ours(p)
	if !ours {
		return 0, clear
	}
	if h.known[pid] == p.start && sig == unix.SIGSTOP {
		return 0, true
	}
	h.known[pid] = p.start
	h.families[p.group], h.families[p.session] = true, true
	h.signal(p, sig)
	return 1, true
}

func (h *hunt) ours(p process) (ours, clear bool) {
	if h.known[p.pid] == p.start || h.families[p.group] || h.families[p.session] {
		return true, true
	}
	if start, ok := h.known[p.parent]; ok {
		if parent, err := readStat(p.parent); err == nil && parent.start == start {
			return true, true
		}
	}
	mark, empty := environ(p.pid, markVariable)
	return mark != "" && mark == h.mark, !empty
}

func (h *hunt) signal(p process, sig unix.Signal) {
	if err := p.signal(sig); err != nil {
		h.note(fmt.Errorf("signal process %d: %w", p.pid, err))
	}
}

func (h *hunt) note(err error) {
	if h.err == nil {
		h.err = err
	}
}
