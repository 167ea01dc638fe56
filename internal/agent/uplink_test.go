package agent_test

import (
	"slices"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/orderly-run/orderly/internal/agent"
	"github.com/orderly-run/orderly/internal/wire"
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

// Servers that move say so while they can still be reached; the identity knows from then on.
func TestServerTellsItsAddresses(t *testing.T) {
	w := newWorld(t)
	told := wire.Addresses{Servers: []string{"https://new.example"}, Buses: []string{w.url(), "nats://127.0.0.1:1"}}
	w.welcome.Addresses = told
	r := w.start()
	w.end(w.run(1, "true"))
	must(t, r.stop())
	id, err := agent.LoadIdentity(w.dir)
	must(t, err)
	if !slices.Equal(id.Servers, told.Servers) || !slices.Equal(id.Buses, told.Buses) {
		t.Errorf("the identity has %q and %q, want %q and %q", id.Servers, id.Buses, told.Servers, told.Buses)
	}
	w.set(func() { w.welcome.Addresses = wire.Addresses{Buses: []string{"tls://[", "x"}} })
	w.start()
	w.end(w.run(2, "true"))
	if id, err = agent.LoadIdentity(w.dir); err != nil || !slices.Equal(id.Buses, told.Buses) {
		t.Errorf("after nonsense the identity has %q, %v; want %q", id.Buses, err, told.Buses)
	}
}
