//go:build linux

package machine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/orderly-run/orderly/e2e/stage"
	"github.com/orderly-run/orderly/internal/client"
)

// sysv boots as System V's init does: the scripts of a runlevel are run in the order of their links, which the
// real update-rc.d makes. Process 1 is busybox's init, of which no more is needed.
var sysv = initSystem{
	command: "/bin/busybox init",
	files: map[string]string{
		"/etc/inittab":     "::sysinit:/etc/rc.sysinit\n::shutdown:/etc/rc.shutdown\n",
		"/etc/rc.sysinit":  "#!/bin/sh\nfor script in /etc/rc2.d/S*; do [ ! -e \"$script\" ] || \"$script\" start; done\n: >/run/up\n",
		"/etc/rc.shutdown": "#!/bin/sh\nfor script in /etc/rc6.d/K*; do [ ! -e \"$script\" ] || \"$script\" stop; done\n",
	},
	up:    []string{"test", "-e", "/run/up"},
	log:   []string{"cat", "/var/log/orderly-agent.log"},
	joins: true,
}

const script = "/etc/init.d/orderly-agent"

// The same life of an agent where there is no systemd.
func TestLifeUnderSysV(t *testing.T) {
	m := openWith(t, sysv)
	if said := m.install(); !strings.Contains(said, "installed: "+script+"\n") {
		t.Errorf("install says %q", said)
	}
	m.status(installed, 0, "sysv: orderly-agent is running", "connected")
	m.life(script+" restart", "busybox reboot")

	m.do(script, "stop")
	m.status(installed, 1, "sysv: orderly-agent is not running", "does not run; was ended")
	m.do(script, "start")
	m.awaitConnected()
	m.endForGood()
	m.status(installed, 1, "sysv: orderly-agent is not running", "does not run; was deregistered")
	m.install("--force")
	m.uninstall("/etc/init.d /etc/rc?.d")
}

// uninstall leaves nothing of the service in directories, and no process.
func (m *machine) uninstall(directories string) {
	m.Helper()
	m.do(installed, "uninstall")
	m.status(installed, 1, "not installed", "does not run; was ended")
	if left := m.do("sh", "-c", "ls "+directories+" | grep orderly-agent || :"); left != "" {
		m.Errorf("left: %s", left)
	}
	if left := m.processes("orderly-agent"); len(left) > 0 {
		m.Errorf("processes are left: %q", left)
	}
}

// endForGood takes the machine out of the fleet, and waits until nothing starts its agent again.
func (m *machine) endForGood() {
	m.Helper()
	m.deregister()
	stage.Await(m, stage.Patience, "nothing keeps the agent alive", func() error {
		if left := m.processes("orderly-agent"); len(left) > 0 {
			return fmt.Errorf("%q", left)
		}
		return nil
	})
}

// life is what every service manager must see an agent through: crashes, restarts by what it runs, boots.
func (m *machine) life(restart, reboot string) {
	m.Helper()
	c := m.begin(client.RunCommandRequest{CommandContent: endless, Timeout: 600})
	c.said("ready")
	before := m.agent()
	m.crash()
	m.awaitOther(before)
	c.restarted(1)

	m.restartsItself([]string{restart, brought + " install -- --at-once 8", "exec " + brought + " install"})

	c = m.begin(client.RunCommandRequest{CommandContent: endless, Timeout: 600})
	c.said("ready")
	starts := m.starts()
	m.do("sh", "-c", reboot)
	m.down()
	m.boot()
	c.restarted(starts)
	m.awaitConnected()
	if out := m.run(client.RunCommandRequest{CommandContent: "echo works"}); out != "works\n" {
		m.Errorf("output %q", out)
	}
}

// restartsItself has commands restart the agent that runs them, in several ways.
func (m *machine) restartsItself(ways []string) {
	m.Helper()
	for _, mode := range []string{"Process", "ProcessTree"} {
		for _, how := range ways {
			before, starts := m.agent(), m.starts()
			c := m.begin(client.RunCommandRequest{CommandContent: "echo start >>" + log + "; echo ready; " + how + "; sleep 1000", TerminationMode: mode, Timeout: 600})
			if r := c.end(); !strings.HasPrefix(how, "exec ") || r.InvocationStatus != "Success" { // it may end before its agent
				c.restarted(starts + 1)
			}
			m.awaitOther(before)
		}
	}
}
