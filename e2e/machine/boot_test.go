//go:build linux

package machine_test

import (
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/orderly-run/orderly/e2e/stage"
	"github.com/orderly-run/orderly/internal/client"
)

// The agent comes back with the machine, ends what ran, and runs what is for each boot once; a service that
// is disabled does not come back.
func TestBoot(t *testing.T) {
	m := open(t)
	m.install()
	m.everyBoot("echo boot >>/root/boots")
	boots := func(want string) {
		t.Helper()
		stage.Await(m, stage.Patience, "the schedule runs at the boot", func() error {
			if got := m.do("sh", "-c", "cat /root/boots 2>/dev/null || :"); got != want {
				return fmt.Errorf("it has run %q", got)
			}
			return nil
		})
	}
	for n, how := range []string{"systemctl reboot", "kill -KILL"} {
		c := m.begin(client.RunCommandRequest{CommandContent: endless, Timeout: 600})
		c.said("ready")
		boots([]string{"", "boot\n"}[n])
		if how == "kill -KILL" {
			m.cut()
		} else {
			m.do("systemctl", "reboot")
		}
		m.down()
		m.boot()
		r := c.end()
		if r.InvocationStatus != "Error" || r.ErrorCode != []string{"ClientRestarted", "InstanceRestarted"}[n] || r.Output != "ready\n" {
			t.Errorf("%s: it is %+v", how, r)
		}
		m.awaitConnected()
		m.status(installed, 0, "systemd: active")
	}
	boots("boot\nboot\n")
	if n := m.starts(); n != 2 {
		t.Errorf("%d starts, want 2", n)
	}

	m.do("systemctl", "disable", "orderly-agent")
	m.do("systemctl", "reboot")
	m.down()
	m.boot()
	m.status(installed, 1, "systemd: inactive", "does not run; was ended")
}

// everyBoot has a script run at each boot.
func (m *machine) everyBoot(script string) {
	m.Helper()
	var answer struct{ InvokeId string }
	err := m.server.API.Call(m.Context(), "RunCommand", struct {
		InstanceId                                        []string
		Type, CommandContent, ContentEncoding, RepeatMode string
	}{[]string{m.id}, "RunShellScript", base64.StdEncoding.EncodeToString([]byte(script)), "Base64", "EveryReboot"}, &answer)
	if err != nil {
		m.Fatal(err)
	}
	c := command{m, answer.InvokeId}
	c.await("the agent has the schedule", func(now client.InvokeInstance) bool { return now.InvocationStatus != "Pending" || now.UpdateTime != "" })
}
