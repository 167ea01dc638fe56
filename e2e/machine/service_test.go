//go:build linux

package machine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly/e2e/stage"
	"github.com/orderly-run/orderly/internal/client"
)

// The way of docs/agent.md from a bare machine to one without the agent again, and what status says on it.
func TestInstallAndUninstall(t *testing.T) {
	m := open(t)
	m.bring()
	m.status(brought, 3, "not registered")
	if said := m.install(); !strings.Contains(said, "installed: "+unit+"\n") {
		t.Errorf("install says %q", said)
	}
	m.status(installed, 0, "(web-1)", "systemd: active", "connected")
	if out := m.do("systemd-analyze", "verify", "--man=no", unit); out != "" {
		t.Errorf("systemd has complaints about the unit: %s", out)
	}
	got := m.properties("UnitFileState", "ActiveState", "NeedDaemonReload", "Type", "Restart", "RestartUSec", "RestartPreventExitStatus", "StartLimitIntervalUSec",
		"KillMode", "TimeoutStopUSec", "Delegate", "TasksMax", "OOMPolicy", "IgnoreSIGPIPE", "User", "NoNewPrivileges", "ProtectSystem", "PrivateTmp")
	want := map[string]string{"UnitFileState": "enabled", "ActiveState": "active", "NeedDaemonReload": "no", "Type": "exec", "Restart": "always", "RestartUSec": "2s",
		"RestartPreventExitStatus": "2 3", "StartLimitIntervalUSec": "0", "KillMode": "process", "TimeoutStopUSec": "15s", "Delegate": "yes", "TasksMax": "infinity",
		"OOMPolicy": "continue", "IgnoreSIGPIPE": "no", "User": "", "NoNewPrivileges": "no", "ProtectSystem": "no", "PrivateTmp": "no"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the unit is not as it says (-want +got):\n%s", diff)
	}

	m.do("systemctl", "stop", "orderly-agent")
	m.endedWell()
	m.status(installed, 1, "systemd: inactive", "does not run; was ended")
	m.do("systemctl", "start", "orderly-agent")
	m.awaitConnected()

	if said := m.do(installed, "uninstall"); !strings.Contains(said, "removed: "+unit+"\n") {
		t.Errorf("uninstall says %q", said)
	}
	m.gone()
	m.status(installed, 1, "(web-1)", "not installed", "does not run")
	if said, err := m.enter(installed, "uninstall"); code(err) != 1 || !strings.Contains(said, "not installed") {
		t.Errorf("uninstall, again: %v, %q", err, said)
	}
	m.do(installed, "install") // the machine is still registered
	m.awaitConnected()
	m.status(installed, 0, "systemd: active")
}

// status asks for the status, which has an exit code and says some things.
func (m *machine) status(program string, exit int, says ...string) {
	m.Helper()
	out, err := m.enter(program, "status")
	if code(err) != exit {
		m.Errorf("status: exit code %d, want %d: %s", code(err), exit, out)
	}
	for _, text := range says {
		if !strings.Contains(out, text) {
			m.Errorf("status has no %q:\n%s", text, out)
		}
	}
}

// gone looks for what uninstall must remove, and for what it must leave.
func (m *machine) gone() {
	m.Helper()
	for path, want := range map[string]bool{
		unit: false, "/etc/systemd/system/multi-user.target.wants/orderly-agent.service": false,
		installed: true, filepath.Join(dataDir, "identity.json"): true, filepath.Join(dataDir, "journal"): true,
	} {
		if _, err := os.Lstat(m.path(path)); (err == nil) != want {
			m.Errorf("%s: %v, want it to be there: %v", path, err, want)
		}
	}
	got := m.properties("LoadState", "ActiveState", "MainPID")
	if diff := cmp.Diff(map[string]string{"LoadState": "not-found", "ActiveState": "inactive", "MainPID": "0"}, got); diff != "" {
		m.Errorf("systemd has the unit still (-want +got):\n%s", diff)
	}
	if state, _ := m.enter("systemctl", "is-system-running"); state != "running\n" {
		m.Errorf("the machine is %q", state)
	}
}

// A machine made from an image has the service's file, and nothing runs before it is registered.
func TestInstallInAnImage(t *testing.T) {
	m := open(t)
	m.bring()
	m.do(brought, "install", "--root", "/")
	m.do("systemctl", "reboot")
	m.down()
	m.boot()
	m.status(installed, 3, "not registered")
	got := m.properties("LoadState", "UnitFileState", "ActiveState")
	if diff := cmp.Diff(map[string]string{"LoadState": "loaded", "UnitFileState": "disabled", "ActiveState": "inactive"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	m.install()
	m.status(installed, 0, "systemd: active")
}

// A second install replaces the program by the newer one, and the agent that runs by one of it.
func TestInstallOverAnOlderOne(t *testing.T) {
	m := open(t)
	m.install()
	before := m.property("MainPID")
	m.do("sh", "-c", "printf newer >>"+brought)
	m.do("sh", "-c", "printf 'ORDERLY_AGENT_LOG_LEVEL=debug\n' >/etc/default/orderly-agent")
	m.do(brought, "install", "--", "--at-once", "8")
	m.awaitConnected()
	after := m.properties("MainPID", "NRestarts", "ExecStart", "NeedDaemonReload")
	if pid := after["MainPID"]; pid == before || pid == "0" {
		t.Errorf("process %s runs after process %s", pid, before)
	}
	if after["NRestarts"] != "0" || after["NeedDaemonReload"] != "no" || !strings.Contains(after["ExecStart"], "--at-once 8") {
		t.Errorf("the unit is %v", after)
	}
	m.do("cmp", brought, "/proc/"+after["MainPID"]+"/exe")
	if env := m.do("cat", "/proc/"+after["MainPID"]+"/environ"); !strings.Contains(env, "ORDERLY_AGENT_LOG_LEVEL=debug\x00") {
		t.Errorf("the agent's environment is %q", env)
	}
	if out := m.run(client.RunCommandRequest{CommandContent: "echo works"}); out != "works\n" {
		t.Errorf("output %q", out)
	}
}

// While a dead agent waits to be started again status says so.
func TestStatusOfADeadAgent(t *testing.T) {
	m := open(t)
	m.install()
	m.do("mkdir", unit+".d")
	m.do("sh", "-c", `printf '[Service]\nRestartSec=1h\n' >`+unit+`.d/later.conf`)
	m.do(installed, "install") // which leaves that alone
	m.awaitConnected()
	m.crash()
	stage.Await(t, stage.Patience, "systemd waits", func() error {
		if p := m.properties("SubState"); p["SubState"] != "auto-restart" {
			return fmt.Errorf("%v", p)
		}
		return nil
	})
	m.status(installed, 1, "systemd: activating", "does not run; was connected")
	m.do("systemctl", "restart", "orderly-agent")
	m.awaitConnected()
	m.status(installed, 0, "systemd: active", "connected")
}

// Where starting again does not help the service is left ended, status says why, and the machine can
// leave or join again.
func TestDeregisteredMachine(t *testing.T) {
	m := open(t)
	m.install()
	m.failForGood()
	m.status(installed, 1, "systemd: failed", "does not run; was deregistered")
	m.do(installed, "uninstall")
	m.gone()
	m.install("--force")
	m.status(installed, 0, "systemd: active")
	m.failForGood()
	m.install("--force")
	m.status(installed, 0, "systemd: active")
}

// failForGood takes the machine out of the fleet, and waits until systemd has given its agent up.
func (m *machine) failForGood() {
	m.Helper()
	m.deregister()
	stage.Await(m, stage.Patience, "the service has failed", func() error {
		if p := m.properties("ActiveState", "ExecMainStatus"); p["ActiveState"] != "failed" || p["ExecMainStatus"] != "3" {
			return fmt.Errorf("%v", p)
		}
		return nil
	})
}
