package gateway

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/orderly-run/orderly/internal/store"
	"github.com/orderly-run/orderly/internal/wire"
)

// A greeting is of the moment at which it was received, however long it waits (HND-4).
func TestGreetingIsOfWhenItWasReceived(t *testing.T) {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "orderly.db"), store.Options{Secret: make([]byte, 32)})
	must(t, err)
	defer func() { must(t, db.Close()) }()
	issuer, err := nkeys.CreateAccount()
	must(t, err)
	bus, err := NewBus(BusConfig{Listen: "127.0.0.1:0", Keys: Keys{Issuer: issuer}})
	must(t, err)
	g := New(bus, db, nil, nil, Config{})
	before := db.Now()
	g.onHello(&nats.Msg{Subject: wire.FromSubject("mi-1", wire.KindHello),
		Data: wire.Encode(wire.Hello{Link: "link", Incarnation: "inc", Boot: "boot", Version: wire.Version, Agent: "test"})})
	after := db.Now()
	<-time.After(5 * time.Millisecond)
	waiting := g.hellos.take()
	if len(waiting) != 1 {
		t.Fatalf("%d greetings wait, want one", len(waiting))
	}
	if at := waiting[0].greeting().Received; at.Before(before) || at.After(after) {
		t.Errorf("received at %v, want it between %v and %v", at, before, after)
	}
}
