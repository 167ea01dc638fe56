//go:build linux

package machine_test

import (
	"strings"
	"testing"
)

// openrc boots as Alpine does: process 1 is busybox's init, which runs OpenRC. That is Debian's, of which
// hack/prepare has brought the packages.
var openrc = initSystem{
	command: "/bin/busybox init",
	files: map[string]string{
		"/etc/inittab": "::sysinit:/sbin/openrc sysinit\n::sysinit:/sbin/openrc boot\n::wait:/sbin/openrc default\n::wait:/etc/rc.up\n::shutdown:/sbin/openrc shutdown\n",
		"/etc/rc.up":   "#!/bin/sh\n: >/run/up\n",
	},
	packages: "../../bin/openrc/*.deb",
	up:       []string{"test", "-e", "/run/up"},
	log:      []string{"cat", "/var/log/orderly-agent.log"},
	joins:    true,
}

// The same life of an agent that OpenRC starts.
func TestLifeUnderOpenRC(t *testing.T) {
	m := openWith(t, openrc)
	if said := m.install(); !strings.Contains(said, "installed: "+script+"\n") {
		t.Errorf("install says %q", said)
	}
	m.status(installed, 0, "openrc: status: started", "connected")
	m.life("rc-service orderly-agent restart", "busybox reboot")
	m.status(installed, 0, "openrc: status: started", "connected")

	m.do("rc-service", "orderly-agent", "stop")
	m.status(installed, 1, "openrc: status: stopped", "does not run; was ended")
	m.do("rc-service", "orderly-agent", "start")
	m.awaitConnected()
	m.endForGood()
	m.status(installed, 1, "openrc: status: crashed", "does not run; was deregistered")
	m.install("--force")
	m.uninstall("/etc/init.d /etc/runlevels/*")
}
