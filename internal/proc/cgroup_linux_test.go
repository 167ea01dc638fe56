package proc_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/orderly-run/orderly/internal/proc"
)

// cgroups are those of a test, which leaves none behind. Where no hierarchy of version 2 is mounted
// one is, for the test.
func cgroups(t *testing.T) (c *proc.Cgroups, prefix string) {
	t.Helper()
	prefix = "orderly-test-" + rand.Text() + "-"
	c, err := proc.OpenCgroups(prefix)
	if err != nil {
		mountCgroups(t)
		if c, err = proc.OpenCgroups(prefix); err != nil {
			t.Skipf("no control groups of version 2: %v", err)
		}
	}
	t.Cleanup(func() {
		c.Wait()
		if left := groups(t, prefix); len(left) > 0 {
			t.Errorf("control groups %v are left", left)
		}
	})
	return c, prefix
}

func mountCgroups(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("cgroup2", dir, "cgroup2", 0, ""); err != nil {
		t.Skipf("no control groups of version 2, and none can be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
}

// groups lists the control groups with a prefix, wherever they are mounted.
func groups(t *testing.T, prefix string) (dirs []string) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if !strings.Contains(line, " - cgroup2 ") {
			continue
		}
		_ = filepath.WalkDir(strings.Fields(line)[4], func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), prefix) {
				dirs = append(dirs, path)
			}
			return nil // others come and go
		})
	}
	return dirs
}

// hide leaves a process behind that has cleared its environment, left its session and has no parent, and
// whose number is then in the file hidden.
const hide = `env -i /usr/bin/setsid /bin/sh -c '(trap "" TERM; /bin/sleep 100 & echo $! > new; mv new hidden)'
`

// hidden is the number of that process.
func hidden(t *testing.T, dir string) (pid int) {
	t.Helper()
	eventually(t, "somebody has hidden", func() bool {
		text, _ := os.ReadFile(filepath.Join(dir, "hidden"))
		pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return pid > 0
	})
	t.Cleanup(func() { kill(pid) })
	return pid
}

// TERM-1: with a control group nobody can hide.
func TestProcessTreeWithCgroupLeavesNobody(t *testing.T) {
	for name, script := range trees {
		t.Run(name, func(t *testing.T) {
			spec := sh(script)
			spec.Cgroups, _ = cgroups(t)
			leavesNobody(t, name, spec)
		})
	}
	t.Run("hidden", func(t *testing.T) {
		spec := sh(hide + "echo ready; exec sleep 100")
		spec.Dir, spec.KillTree = t.TempDir(), true
		spec.Cgroups, _ = cgroups(t)
		p := start(t, spec)
		pid := hidden(t, spec.Dir)
		p.Stop()
		if r := wait(t, p); !r.Stopped {
			t.Errorf("result = %+v, want stopped", r)
		}
		if runs(pid) {
			t.Errorf("process %d, which had hidden, is left", pid)
		}
	})
	t.Run("below", func(t *testing.T) { // in a group that the process made within its own
		c, prefix := cgroups(t)
		spec := sh(fmt.Sprintf(`for d in $(cut -d' ' -f5 /proc/self/mountinfo); do
			g=$d$(sed -n s/^0:://p /proc/self/cgroup)
			case $g in */%sm) mkdir $g/below 2> /dev/null && sh -c "echo \$\$ > $g/below/cgroup.procs; exec sleep 100" & esac
		done; sleep 0.1; echo ready; wait`, prefix))
		spec.Cgroups, spec.Mark = c, "m"
		leavesNobody(t, "below", spec)
	})
}

// A process that ends by itself leaves its descendants alone also in ProcessTree mode, and no group behind.
func TestSurvivorsGoOnWithoutTheirCgroup(t *testing.T) {
	spec := sh(hide + "exit 3")
	spec.Dir, spec.KillTree = t.TempDir(), true
	spec.Cgroups, _ = cgroups(t)
	if r := wait(t, start(t, spec)); r.ExitCode != 3 || r.Stopped {
		t.Errorf("result = %+v, want its own end", r)
	}
	spec.Cgroups.Wait()
	if pid := hidden(t, spec.Dir); !runs(pid) {
		t.Errorf("process %d is gone, want it to go on", pid)
	}
}

// What a killed caller left is found by its mark, and swept.
func TestRecordedCgroupIsKilled(t *testing.T) {
	for name, tree := range map[string]bool{"killed": true, "swept": false} {
		t.Run(name, func(t *testing.T) {
			c, prefix := cgroups(t)
			dir := t.TempDir()
			env := append(os.Environ(), "PROC_TEST_MARK=m", "PROC_TEST_CGROUPS="+prefix)
			pid, started := abandoned(t, env, "cd "+dir+"; trap '' PIPE; "+hide+"echo ready; exec sleep 100")
			t.Cleanup(func() { kill(pid) })
			if got := groups(t, prefix); len(got) == 0 {
				t.Fatal("there is no group of the process")
			}
			if tree {
				if err := proc.KillRecorded(proc.Recorded{PID: pid, StartTime: started, Mark: "m", KillTree: true, Cgroups: c}); err != nil {
					t.Errorf("KillRecorded: %v", err)
				}
			}
			if err := c.Sweep(); err != nil {
				t.Errorf("Sweep: %v", err)
			}
			if left := hidden(t, dir); runs(left) == tree || runs(pid) == tree {
				t.Errorf("alive: %v, %v; want them killed: %v", runs(pid), runs(left), tree)
			}
		})
	}
}

// Where there are no control groups, a nil one is as good as none.
func TestNoCgroups(t *testing.T) {
	var c *proc.Cgroups
	if err := c.Sweep(); err != nil {
		t.Error(err)
	}
	c.Wait()
}
