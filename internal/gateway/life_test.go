package gateway_test

import (
	"context"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/orderly-run/orderly/internal/gateway"
	"github.com/orderly-run/orderly/internal/store"
	"github.com/orderly-run/orderly/internal/wire"
)

// Whoever asks to be let in while a server begins gets an answer at once, if only that nobody is
// there; and no server waits at its end for one that it will not answer any more.
func TestNobodyWaitsForAServerThatBeginsOrEnds(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	addr := l.Addr().String()
	must(t, l.Close())
	db := filepath.Join(t.TempDir(), "orderly.db")
	cfg := gateway.BusConfig{Listen: addr, Keys: gateway.Keys{Issuer: account(t)}}
	var id identity
	t.Run("first life", func(t *testing.T) { id = startOn(t, db, cfg).register() })

	ctx, cancel := context.WithCancel(t.Context())
	var dialling sync.WaitGroup
	var slowest, in atomic.Int64
	var ending atomic.Bool // who asks while a server of this very process ends may be left alone by it
	for range 4 {
		dialling.Go(func() {
			for ctx.Err() == nil {
				begin, late := time.Now(), ending.Load()
				nc, err := nats.Connect("nats://"+addr, nats.Nkey(public(t, id.key), id.key.Sign), nats.NoReconnect(), nats.Timeout(10*time.Second))
				if err == nil {
					in.Add(1)
					nc.Close()
				}
				if !late && !ending.Load() {
					slowest.Store(max(slowest.Load(), int64(time.Since(begin))))
				}
			}
		})
	}
	for range 5 {
		t.Run("life", func(t *testing.T) {
			var end time.Time
			t.Cleanup(func() {
				if took := time.Since(end); took > 4*time.Second {
					t.Errorf("the server took %v to end", took)
				}
			})
			ending.Store(false)
			startOn(t, db, cfg)
			before := in.Load()
			poll(t, func() bool { return in.Load() > before+4 }, func() string { return "nobody was let in" })
			ending.Store(true)
			end = time.Now()
		})
	}
	cancel()
	dialling.Wait()
	if took := time.Duration(slowest.Load()); took > 4*time.Second {
		t.Errorf("somebody waited %v for an answer", took)
	}
}

// A link whose connection ended while it was being stored does not stay up.
func TestLinkThatIsGoneAtOnceStaysNotUp(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		c := start(t, url, false)
		for range 30 {
			id := c.register()
			p, err := c.dial(id, "link", id.key)
			must(t, err)
			p.hello()
			p.nc.Close()
		}
		alive := c.connect(c.register(), "last") // hellos are answered in their order
		defer alive.nc.Close()
		poll(t, func() bool {
			n, err := c.db.CountLinks(t.Context())
			must(t, err)
			return n == 1
		}, func() string { return "there are still links of agents that have gone" })
	})
}

// A twin that asks and is gone before the answer takes nothing from who holds the instance.
func TestTwinThatHasGoneTakesNobodysPlace(t *testing.T) {
	c := start(t, filepath.Join(t.TempDir(), "orderly.db"), false)
	id := c.register()
	holder := c.connect(id, "holder")
	runs := make(chan struct{}, 1)
	go func() { // ends with the test
		for {
			select {
			case m := <-holder.in:
				if m.Probe {
					_ = holder.nc.Publish(wire.FromSubject(id.instance, wire.KindBeat), wire.Encode(wire.Beat{Link: "holder"}))
				}
				if m.Run != nil {
					runs <- struct{}{}
				}
			case <-t.Context().Done():
				return
			}
		}
	}()
	twin, err := c.dial(id, "twin", id.key)
	must(t, err)
	must(t, c.db.Write(t.Context(), store.Mass, func(*store.Tx) error { // its hello is answered after this
		twin.hello()
		twin.nc.Close()
		<-time.After(100 * time.Millisecond) // and after its end was noticed
		return nil
	}))
	c.connect(c.register(), "last")      // hellos are answered in their order
	<-time.After(300 * time.Millisecond) // longer than a probe
	c.run(id.instance)
	select {
	case <-runs:
	case <-time.After(5 * time.Second):
		t.Error("the holder gets no task any more")
	}
}
