package gateway

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// impatientBus is one that gives who does not show who he is a second.
func impatientBus(t *testing.T) *Bus {
	t.Helper()
	issuer, err := nkeys.CreateAccount()
	must(t, err)
	b, err := NewBus(BusConfig{Listen: "127.0.0.1:0", Keys: Keys{Issuer: issuer}})
	must(t, err)
	opts, err := b.options()
	must(t, err)
	opts.AuthTimeout, opts.WriteDeadline = 1, time.Second
	b.srv, err = server.NewServer(opts)
	must(t, err)
	must(t, b.start())
	t.Cleanup(b.stop)
	return b
}

// A connection that NATS gives up before it is told whose it is ends without a word. It does not stay, and its link is seen
// to end with its last connection all the same.
func TestConnectionThatEndsWithoutAWordIsMissed(t *testing.T) {
	b := impatientBus(t)
	user, err := nkeys.CreateUser()
	must(t, err)
	public, err := user.PublicKey()
	must(t, err)
	c := newCallout(nil, b.cfg.Keys.Issuer)
	c.keys[public] = "mi-1"
	given, answered := make(chan struct{}), make(chan struct{})
	_, err = b.out.Subscribe(calloutSubject, func(m *nats.Msg) {
		<-given
		c.answer(context.Background(), m)
		close(answered)
	})
	must(t, err)
	told := make(chan seat, 10)
	_, err = b.system.Subscribe(disconnectSubject, func(m *nats.Msg) {
		s, _ := c.left(m.Data)
		told <- s
	})
	must(t, err)
	must(t, b.out.Flush())
	must(t, b.system.Flush())

	if nc, err := nats.Connect("", nats.InProcessServer(b.srv), nats.Nkey(public, user.Sign), nats.Name("link"), nats.NoReconnect()); err == nil {
		nc.Close()
		t.Fatal("connected before anybody answered who that is")
	}
	close(given)
	<-answered
	id, err := b.report.GetClientID()
	must(t, err)
	link, here := seat{"mi-1", "link"}, client{b.srv.ID(), id}
	if len(c.clients) != 1 || !c.holds(link) {
		t.Fatalf("known: %v, want the connection that was given up", c.clients)
	}
	c.seated(here, link) // it has connected anew
	if got := c.missed(b.lives); len(got) > 0 || len(c.clients) != 1 || !c.holds(link) {
		t.Errorf("missed: %v, known: %v; want the connection that is there", got, c.clients)
	}
	b.report.Close()
	if s := <-told; s != link || c.holds(link) {
		t.Errorf("the end that is told is that of %v, want %v", s, link)
	}
	c.seated(client{b.srv.ID(), id + 1000}, link)
	if got := fmt.Sprint(c.missed(b.lives)); got != fmt.Sprint([]seat{link}) {
		t.Errorf("missed: %v, want %v", got, link)
	}
}
