package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// leaveRounds is how often a control group is tried to be removed whose processes go on forking.
const leaveRounds = 100

// Cgroups makes a control group (version 2) for each process whose whole tree is to be killed, below
// the one that the caller is in. Nobody leaves one by forking, by a session of its own or by what it
// has in its environment. A nil *Cgroups makes none. Its methods may be called by anyone.
type Cgroups struct {
	dir    string // the caller's
	prefix string // of the names below it

	mu      sync.Mutex
	useless bool // the system does not start processes in them
	pending sync.WaitGroup
}

// OpenCgroups finds the caller's control group. It fails where there is none of version 2 that may be
// written to and whose members can be killed together (Linux 5.14). The names of all groups begin
// with prefix, which no other caller may have.
func OpenCgroups(prefix string) (*Cgroups, error) {
	dir, err := ownCgroup("/proc/self")
	if err != nil {
		return nil, fmt.Errorf("find own control group: %w", err)
	}
	c := &Cgroups{dir: dir, prefix: prefix}
	g := c.at("probe")
	err = os.Mkdir(g.dir, 0o755)
	if err == nil || errors.Is(err, fs.ErrExist) {
		_, err = os.Stat(filepath.Join(g.dir, "cgroup.kill"))
		err = errors.Join(err, g.remove())
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Sweep removes the groups that an earlier caller with the same prefix left. Who is in one goes on
// without it.
func (c *Cgroups) Sweep() error {
	if c == nil {
		return nil
	}
	dirs, err := filepath.Glob(filepath.Join(c.dir, c.prefix+"*"))
	for _, dir := range dirs {
		g := cgroup{dir: dir, parent: c.dir}
		err = errors.Join(err, g.leave())
	}
	return err
}

// Wait waits until the groups of all processes that have ended are removed.
func (c *Cgroups) Wait() {
	if c != nil {
		c.pending.Wait()
	}
}

// ownCgroup is the directory of a process's control group of version 2.
func ownCgroup(proc string) (string, error) {
	groups, err := os.ReadFile(filepath.Join(proc, "cgroup"))
	if err != nil {
		return "", err
	}
	mounts, err := os.ReadFile(filepath.Join(proc, "mountinfo"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(groups)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return mountedAt(string(mounts), path)
		}
	}
	return "", errors.New("it is in none of version 2")
}

// mountedAt finds where a path of the hierarchy is in the file system.
func mountedAt(mounts, path string) (string, error) {
	for line := range strings.Lines(mounts) {
		mount, rest, _ := strings.Cut(line, " - ")
		fields := strings.Fields(mount)
		if !strings.HasPrefix(rest, "cgroup2 ") || len(fields) < 5 {
			continue
		}
		if below, err := filepath.Rel(fields[3], path); err == nil && filepath.IsLocal(below) {
			return filepath.Join(fields[4], below), nil
		}
	}
	return "", fs.ErrNotExist
}

// group makes the group of a process with a mark, nil where there is none.
func (c *Cgroups) group(mark string) *cgroup {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.at(mark)
	if c.useless || os.Mkdir(g.dir, 0o755) != nil {
		return nil
	}
	return g
}

// find returns the group that was made for a mark, nil if there is none.
func (c *Cgroups) find(mark string) *cgroup {
	if c == nil || mark == "" {
		return nil
	}
	g := c.at(mark)
	if _, err := os.Stat(g.dir); err != nil {
		return nil
	}
	return g
}

func (c *Cgroups) at(mark string) *cgroup {
	return &cgroup{dir: filepath.Join(c.dir, c.prefix+filepath.Base(mark)), parent: c.dir}
}

// refuse notes that a process could be started without a group only.
func (c *Cgroups) refuse() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.useless = true
}

// release gives g up, without keeping the caller waiting.
func (c *Cgroups) release(g *cgroup) {
	if g != nil {
		c.pending.Go(func() { _ = g.leave() }) // what is left is left to Sweep
	}
}

// A cgroup is a control group of one process and its descendants. A nil one has nobody in it.
type cgroup struct{ dir, parent string }

// open returns the descriptor that a process is started in g by.
func (g *cgroup) open() (*os.File, error) { return os.Open(g.dir) }

// members lists who is in g or below.
func (g *cgroup) members() map[int]bool {
	if g == nil {
		return nil
	}
	all := map[int]bool{}
	_ = filepath.WalkDir(g.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			for _, pid := range processesOf(path) {
				all[pid] = true
			}
		}
		return nil // what is gone has nobody in it
	})
	return all
}

func processesOf(dir string) (pids []int) {
	text, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	for field := range bytes.FieldsSeq(text) {
		if pid, err := strconv.Atoi(string(field)); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// freeze keeps everyone in g from forking. It does not wait for that.
func (g *cgroup) freeze() {
	if g != nil {
		_ = g.write("cgroup.freeze", "1") // without it the rest takes longer
	}
}

// kill kills everyone in g and below.
func (g *cgroup) kill() error {
	if g == nil {
		return nil
	}
	if err := g.write("cgroup.kill", "1"); err != nil {
		return fmt.Errorf("kill control group: %w", err)
	}
	return nil
}

func (g *cgroup) write(file, text string) error {
	return os.WriteFile(filepath.Join(g.dir, file), []byte(text), 0)
}

// leave removes g, and lets those who are in it go on in its parent. A group that they have made
// below it stays, with them.
func (g *cgroup) leave() (err error) {
	_ = g.write("cgroup.freeze", "0")
	for range leaveRounds {
		if err = g.remove(); err == nil || !errors.Is(err, unix.EBUSY) {
			return err
		}
		for _, pid := range processesOf(g.dir) {
			_ = os.WriteFile(filepath.Join(g.parent, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
		}
		time.Sleep(killPause) // the dying need a moment
	}
	return err
}

// remove removes g and the empty groups below it.
func (g *cgroup) remove() error {
	err := os.Remove(g.dir)
	if err == nil || !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENOTEMPTY) {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	entries, _ := os.ReadDir(g.dir)
	for _, e := range entries {
		if e.IsDir() {
			below := cgroup{dir: filepath.Join(g.dir, e.Name()), parent: g.dir}
			_ = below.remove() // it decides whether g can be
		}
	}
	return os.Remove(g.dir)
}
