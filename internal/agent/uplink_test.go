//go:build unix

package agent_test

import (
	"slices"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// The server knows by the name of a connection whose link has gone with it.
func TestConnectionIsNamedByItsLink(t *testing.T) {
	w := newWorld(t)
	w.start()
	link := w.hello().Link
	conns, err := w.bus.Connz(&server.ConnzOptions{})
	must(t, err)
	if !slices.ContainsFunc(conns.Conns, func(c *server.ConnInfo) bool { return c.Name == link }) {
		t.Errorf("no connection is named %q: %+v", link, conns.Conns)
	}
}
