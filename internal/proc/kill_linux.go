package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

const (
	killBound   = 5 * time.Second // how long a kill may take before it is given up
	killPause   = time.Millisecond
	calmRounds  = 2  // this many looks in a row without a find: nobody is left
	doubtRounds = 50 // looks that may be repeated because others start processes meanwhile
)

// begin starts the process, in a group of its own if it is to be killed with its descendants.
func (p *Process) begin() error {
	if !p.spec.KillTree {
		return p.cmd.Start()
	}
	g := p.spec.Cgroups.group(p.spec.Mark)
	if g == nil {
		return p.cmd.Start()
	}
	if p.startIn(g) == nil {
		p.tree.group = g
		return nil
	}
	_ = g.remove() // nobody was in it
	err := p.cmd.Start()
	if err == nil {
		p.spec.Cgroups.refuse() // seccomp filters may forbid clone3
	}
	return err
}

// startIn starts the process in a group, so that not even its first descendant is outside of it.
func (p *Process) startIn(g *cgroup) error {
	dir, err := g.open()
	if err != nil {
		return err
	}
	defer dir.Close()
	c, attr := p.cmd, *p.cmd.SysProcAttr
	attr.UseCgroupFD, attr.CgroupFD = true, int(dir.Fd())
	cmd := &exec.Cmd{Path: c.Path, Args: c.Args, Env: c.Env, Dir: c.Dir, Stdout: c.Stdout, Stderr: c.Stderr, SysProcAttr: &attr, Err: c.Err}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd = cmd
	return nil
}

// A tree is what the descendants of a process are found by.
type tree struct {
	group *cgroup // nil without one
	hunt  *hunt   // once it has begun
}

// find begins the hunt, or goes on with it.
func (t *tree) find(p *Process) *hunt {
	if t.hunt == nil {
		t.hunt = newHunt(p.PID(), p.startTime, p.spec.Mark, t.group)
	}
	return t.hunt
}

// kill kills p and its descendants. It returns when all but p are gone.
func (t *tree) kill(p *Process) error { return t.find(p).kill() }

// release gives up what the tree was found by.
func (t *tree) release(c *Cgroups) { c.release(t.group) }

// ask asks the process to end, and with Spec.KillTree its descendants too; false when it has ended.
// Parents come before their children: a shell whose child is gone would go on with its script.
func (p *Process) ask() bool {
	root := process{pid: p.PID(), start: p.startTime}
	if !root.current().alive() {
		return false
	}
	if !p.spec.KillTree {
		if p.signal(unix.SIGTERM) != nil {
			return false
		}
		_ = p.signal(unix.SIGCONT) // it may have died of the first one
		return true
	}
	h := p.tree.find(p)
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGCONT} {
		h.signal(root, sig)
		h.sweep(sig)
	}
	return true
}

// KillRecorded kills a process, if it still runs, and with KillTree all its descendants. The numbers
// mean nothing after the machine was booted again. It returns when they are gone. A process that had
// ended before is no error, and its descendants are left alone. One whose start time could not be read is known by its mark.
func KillRecorded(r Recorded) error {
	if r.StartTime == 0 {
		r.StartTime = markedStart(r.PID, r.Mark)
	}
	p := process{pid: r.PID, start: r.StartTime}.current()
	if !p.alive() {
		return nil
	}
	if r.KillTree {
		return errors.Join(newHunt(r.PID, r.StartTime, r.Mark, r.Cgroups.find(r.Mark)).kill(), p.await())
	}
	if err := p.signal(unix.SIGKILL); err != nil {
		return fmt.Errorf("kill process %d: %w", r.PID, err)
	}
	return p.await()
}

// markedStart is when a process started that has a mark and leads a session, 0 when it has not.
func markedStart(pid int, mark string) uint64 {
	p, err := readStat(pid)
	if found, _ := markOf(pid); err != nil || found != mark || mark == "" || p.session != pid {
		return 0
	}
	return p.start
}

// Find returns the process that was started with this Spec.Mark, if it still runs, else its oldest
// descendant that leads a session. It is for a killer that died after Start and before it could
// record the numbers which KillRecorded needs.
func Find(mark string) (pid int, started uint64, ok bool) {
	for _, candidate := range listPIDs() {
		found, _ := markOf(candidate)
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

// A hunt is the search for one process's descendants. The process leads a session.
type hunt struct {
	root     process
	mark     string
	group    *cgroup             // of theirs; nil without one
	known    map[int]relative    // who was found
	sent     map[int]unix.Signal // what they got last
	families map[family]bool     // process groups and sessions that those found are in
	doubts   bool                // some of them are claimed
	members  map[int]bool        // of the group, at the last look
	lastPID  int                 // every process up to here was looked at
	err      error
}

// A relative is a descendant that was found. Anybody may put a mark into his own environment: who is known by that alone,
// or by somebody who is, only claims to be one.
type relative struct {
	start  uint64
	claims bool
}

// A family is a process group or session. One that is known by somebody who claims to be a descendant is that of his
// own user's processes: he may have been started within a session of somebody else's.
type family struct{ number, user int }

// anybody is the user of a family whose members are descendants whoever they are.
const anybody = -1

func newHunt(pid int, started uint64, mark string, group *cgroup) *hunt {
	return &hunt{
		root: process{pid: pid, start: started}, mark: mark, group: group,
		known: map[int]relative{pid: {start: started}}, sent: map[int]unix.Signal{}, families: map[family]bool{{pid, anybody}: true}, lastPID: lastPID(),
	}
}

// kill kills all. Whoever left the group is found by what else makes a descendant, and whoever hides
// from that by the group. The root stays until the others are gone: if the killer dies half way,
// KillRecorded can begin again.
func (h *hunt) kill() error {
	h.group.freeze()
	h.signal(h.root, unix.SIGSTOP)
	h.repeat(unix.SIGSTOP)
	h.repeat(unix.SIGKILL)
	if err := h.group.kill(); err != nil {
		h.note(err)
	}
	h.signal(h.root, unix.SIGKILL)
	if !h.repeat(unix.SIGKILL) { // once more, in case somebody had let the root go on
		h.note(fmt.Errorf("tree of process %d is killed but does not end", h.root.pid))
	}
	return h.err
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
	h.members = h.group.members()
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
	if pid == h.root.pid || p.start < h.root.start || !p.alive() || p.isKernel() || pid == os.Getpid() {
		return 0, true
	}
	r, ours, clear := h.recognize(p)
	if !ours {
		return 0, clear
	}
	user := anybody
	if r.claims {
		user, h.doubts = realUser(pid), true
	}
	h.families[family{p.group, user}], h.families[family{p.session, user}] = true, true
	found := h.known[pid] != relative{} && h.known[pid].start == p.start
	h.known[pid] = r
	if found && h.sent[pid] == sig && sig != unix.SIGKILL {
		return 0, true
	}
	h.sent[pid] = sig
	h.signal(p, sig)
	return 1, true
}

// recognize finds whether p is a descendant, by what nobody can forge if there is any of it.
func (h *hunt) recognize(p process) (r relative, ours, clear bool) {
	known, met := h.known[p.pid]
	if met = met && known.start == p.start; met && !known.claims {
		return known, true, true
	}
	parent, ofOurs := h.parent(p)
	if h.members[p.pid] || h.families[family{p.group, anybody}] || h.families[family{p.session, anybody}] || ofOurs && !parent.claims {
		return relative{start: p.start}, true, true
	}
	r = relative{start: p.start, claims: true}
	if met || ofOurs || h.claimed(p) {
		return r, true, true
	}
	mark, empty := markOf(p.pid)
	return r, mark != "" && mark == h.mark && !privileged(p.pid), !empty
}

// parent is p's, if it was found.
func (h *hunt) parent(p process) (r relative, ok bool) {
	if r, ok = h.known[p.parent]; !ok {
		return r, false
	}
	now, err := readStat(p.parent)
	return r, err == nil && now.start == r.start
}

// claimed reports whether p is of the family and of the user of somebody who claims to be a descendant.
func (h *hunt) claimed(p process) bool {
	if !h.doubts {
		return false
	}
	user := realUser(p.pid)
	return h.families[family{p.group, user}] || h.families[family{p.session, user}]
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
