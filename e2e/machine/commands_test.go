//go:build linux

package machine_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly/e2e/stage"
	"github.com/orderly-run/orderly/internal/client"
)

// ignoresNothing is what a process says that ignores no signal but the two of the C library's own, 32 and 33, which
// that one ignores in what it spawns, so that make does in the tests and all below them.
var ignoresNothing = regexp.MustCompile(`SigIgn:\t0000000[01][08]0000000\n`)

// What root may do on the machine a command may do that runs below the service.
func TestServiceRestrainsNoCommand(t *testing.T) {
	m := open(t)
	m.install()
	out := m.run(client.RunCommandRequest{CommandContent: `set -e
for dir in /etc /usr /usr/local/bin /var/lib /root /home /opt /tmp; do echo x >$dir/orderly-was-here; done
useradd --create-home orderly-joe
su orderly-joe -c 'echo mine >~/file'
mount -t tmpfs tmpfs /mnt
mknod /root/null c 1 3
printf '[Service]\nExecStart=sleep infinity\n' >/etc/systemd/system/theirs.service
systemctl daemon-reload
systemctl start theirs
systemctl is-active theirs
grep -E '^(NoNewPrivs|Seccomp|SigIgn|SigBlk):' /proc/self/status
umask
cat /proc/self/cgroup`})
	for _, want := range []string{"active\n", "NoNewPrivs:\t0\n", "Seccomp:\t0\n", "SigBlk:\t0000000000000000\n", "\n0022\n", "0::/system.slice/orderly-agent.service\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	if !ignoresNothing.MatchString(out) {
		t.Errorf("signals are ignored: %s", out)
	}
	for _, path := range []string{"/etc/orderly-was-here", "/usr/orderly-was-here", "/tmp/orderly-was-here", "/home/orderly-joe/file"} {
		m.do("test", "-s", path) // on the whole machine, not in a view of the service's own
	}
	m.do("mountpoint", "/mnt")
	if out := m.run(client.RunCommandRequest{CommandContent: "id -un; pwd", Username: "orderly-joe"}); out != "orderly-joe\n/home/orderly-joe\n" {
		t.Errorf("as orderly-joe: %q", out)
	}
}

// background is a script that leaves two processes behind: one that has left its session, and one that has
// neither parent, session nor environment of its own.
const background = `setsid sh -c ': >/tmp/one; exec sleep 100001' &
(setsid env -i PATH="$PATH" setsid sh -c ': >/tmp/two; exec sleep 100001' &)
while ! [ -e /tmp/one ] || ! [ -e /tmp/two ]; do sleep 0.01; done
rm /tmp/one /tmp/two
echo ready
`

// awaitSleepers waits until that many of those run.
func (m *machine) awaitSleepers(want int) {
	m.Helper()
	stage.Await(m, stage.Patience, fmt.Sprint(want, " sleepers"), func() error {
		if all := m.processes("sleep 100001"); len(all) != want {
			return fmt.Errorf("%q", all)
		}
		return nil
	})
}

// The control group of a command with ProcessTree is below the service's, and nobody escapes from it.
func TestCommandsHaveControlGroupsBelowTheService(t *testing.T) {
	m := open(t)
	m.install()
	c := m.begin(client.RunCommandRequest{CommandContent: "cat /proc/self/cgroup\n" + background + "sleep 100000", TerminationMode: "ProcessTree", Timeout: 600})
	c.said("ready")
	if out := string(c.state().Output); !strings.Contains(out, "0::/system.slice/orderly-agent.service/orderly-") {
		t.Errorf("its control groups: %s", out)
	}
	m.awaitSleepers(2)
	c.stop()
	if r := c.end(); r.InvocationStatus != "Terminated" {
		t.Errorf("it is %+v, want Terminated", r)
	}
	m.awaitSleepers(0)
	m.noGroups()
}

// noGroups waits until no command has a control group.
func (m *machine) noGroups() {
	m.Helper()
	stage.Await(m, stage.Patience, "no control groups of commands", func() error {
		left, err := filepath.Glob(m.path("/sys/fs/cgroup/system.slice/orderly-agent.service/orderly-*"))
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("%q", left)
		}
		return err
	})
}

// What a command has left running lives on, in either mode: when the command has ended, when the agent is
// restarted or dies, and when it is uninstalled.
func TestWhatACommandLeavesBehindLivesOn(t *testing.T) {
	m := open(t)
	m.install()
	for _, mode := range []string{"Process", "ProcessTree"} {
		m.run(client.RunCommandRequest{CommandContent: background, TerminationMode: mode})
	}
	m.noGroups()
	m.awaitSleepers(4)
	m.do("systemctl", "restart", "orderly-agent")
	m.awaitConnected()
	m.awaitSleepers(4)
	m.crash()
	m.awaitRestart()
	m.awaitSleepers(4)
	m.do(installed, "uninstall")
	m.gone()
	m.awaitSleepers(4)
}

// awaitRestart waits until systemd has started the agent again by itself, and the server has welcomed that.
func (m *machine) awaitRestart() {
	m.Helper()
	stage.Await(m, stage.Patience, "systemd starts the agent again", func() error {
		if p := m.properties("NRestarts", "SubState"); p["NRestarts"] == "0" || p["SubState"] != "running" {
			return fmt.Errorf("%v", p)
		}
		return nil
	})
	m.awaitConnected()
}

// log is a file of the machine that commands add a line to when they start.
const log = "/root/starts"

// starts counts those that did.
func (m *machine) starts() int {
	m.Helper()
	text, err := os.ReadFile(m.path(log))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		m.Fatal(err)
	}
	return strings.Count(string(text), "start\n")
}

// endless is a script that tells of its start and does not end.
const endless = "echo start >>" + log + "\necho ready\nwhile :; do sleep 1; done\n"

// restarted looks whether a command ended with its agent, and had one start.
func (c command) restarted(starts int) {
	c.m.Helper()
	r := c.end()
	if r.InvocationStatus != "Error" || r.ErrorCode != "ClientRestarted" || !strings.HasPrefix(string(r.Output), "ready\n") || r.ExitCode != nil {
		c.m.Errorf("it is %+v, want Error/ClientRestarted with its output and no exit code", r)
	}
	if n := c.m.starts(); n != starts {
		c.m.Errorf("%d starts, want %d", n, starts)
	}
}

// An agent that dies is back within seconds; what ran is ended and reported.
func TestKilledAgentComesBack(t *testing.T) { // HND-6
	m := open(t)
	m.install()
	for n, mode := range []string{"Process", "ProcessTree"} {
		c := m.begin(client.RunCommandRequest{CommandContent: endless, TerminationMode: mode, Timeout: 600})
		c.said("ready")
		m.crash()
		c.restarted(n + 1)
		m.status(installed, 0, "systemd: active", "connected")
		if got := m.property("NRestarts"); got != strconv.Itoa(n+1) {
			t.Errorf("systemd has restarted it %s times, want %d", got, n+1)
		}
		if left := m.processes(scripts); len(left) > 0 {
			t.Errorf("scripts run on: %q", left)
		}
	}
}

// A service that is told to end is not waited for: not for commands that end when they are asked, and not for
// one that does not.
func TestStopTakesSeconds(t *testing.T) {
	m := open(t)
	m.install()
	for n, script := range []string{endless, "trap '' TERM\n" + endless} {
		c := m.begin(client.RunCommandRequest{CommandContent: script, Timeout: 600})
		c.said("ready")
		m.do("systemctl", "stop", "orderly-agent")
		m.endedWell()
		c.restarted(n + 1) // it was told before the agent ended
		m.do("systemctl", "start", "orderly-agent")
		m.awaitConnected()
	}
}

// endedWell looks how the agent ended that was told to: by itself, and not because systemd lost patience.
func (m *machine) endedWell() {
	m.Helper()
	p := m.properties("ActiveState", "Result", "ExecMainCode", "ExecMainStatus", "ActiveExitTimestampMonotonic", "InactiveEnterTimestampMonotonic")
	from, _ := strconv.Atoi(p["ActiveExitTimestampMonotonic"])
	to, _ := strconv.Atoi(p["InactiveEnterTimestampMonotonic"])
	took := time.Duration(to-from) * time.Microsecond
	if p["ActiveState"] != "inactive" || p["Result"] != "success" || p["ExecMainCode"] != "1" || p["ExecMainStatus"] != "0" || took > 10*time.Second {
		m.Errorf("it ended in %v: %v", took, p)
	}
}

// What ended while no server could be reached is not lost when the agent is restarted then, or upgraded.
func TestRestartKeepsResults(t *testing.T) {
	m := open(t)
	m.install()
	m.bring()
	c := m.begin(client.RunCommandRequest{CommandContent: "echo start >>" + log + "; echo ready; while ! [ -e /root/gate ]; do sleep 0.01; done; echo done; exit 7; ", Timeout: 600})
	c.said("ready")
	m.server.Kill()
	m.do("touch", "/root/gate")
	stage.Await(m, stage.Patience, "the command ends", func() error {
		if left := m.processes(scripts); len(left) > 0 {
			return fmt.Errorf("%q", left)
		}
		return nil
	})
	before := m.agent()
	m.do("systemctl", "restart", "orderly-agent")
	m.awaitNew(before)
	m.crash()
	m.do(brought, "install")
	m.server.Start()
	if r := c.end(); r.InvocationStatus != "Failed" || r.ExitCode == nil || *r.ExitCode != 7 || r.Output != "ready\ndone\n" {
		t.Errorf("it is %+v, want what it was", r)
	}
	if n := m.starts(); n != 1 {
		t.Errorf("%d starts, want 1", n)
	}
}

// A command that restarts the agent that runs it ends with that, has one start, and the agent is back. One that
// has systemd do so later has its result.
func TestCommandThatRestartsItsAgent(t *testing.T) {
	m := open(t)
	m.install()
	m.bring()
	m.restartsItself([]string{"systemctl restart orderly-agent", brought + " install", "exec " + brought + " install"})
	before := m.agent()
	later := m.begin(client.RunCommandRequest{CommandContent: "systemd-run --quiet --collect --on-active=5s --timer-property=AccuracySec=1s " + brought + " install"})
	if r := later.end(); r.InvocationStatus != "Success" {
		t.Errorf("it is %+v, want Success", r)
	}
	m.awaitOther(before)
}
