package store_test

import (
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/orderly-run/orderly/internal/pgtest"
	"github.com/orderly-run/orderly/internal/store"
)

// A wire leads to a database. While its gate is locked nothing passes, and nobody is told.
type wire struct {
	gate  sync.RWMutex
	conns sync.WaitGroup
}

// wired is the URL of a database at the end of a wire.
func wired(t *testing.T, dsn string) (string, *wire) {
	t.Helper()
	u, err := url.Parse(dsn)
	must(t, err)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	w := &wire{}
	target := u.Host
	w.conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			w.conns.Go(func() { w.carry(conn, target) })
		}
	})
	t.Cleanup(w.conns.Wait)
	t.Cleanup(func() { must(t, l.Close()) })
	u.Host = l.Addr().String()
	return u.String(), w
}

func (w *wire) carry(near net.Conn, target string) {
	defer near.Close()
	far, err := (&net.Dialer{}).Dial("tcp", target)
	if err != nil {
		return
	}
	defer far.Close()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		both.Go(func() {
			defer way[1].Close()
			_, _ = io.Copy(gated{way[1], w}, way[0]) // to its end
		})
	}
	both.Wait()
}

type gated struct {
	net.Conn
	*wire
}

func (g gated) Write(p []byte) (int, error) {
	g.gate.RLock()
	defer g.gate.RUnlock()
	return g.Conn.Write(p)
}

// A database whose machine lost its power says nothing any more. That is an outage soon, and not when the system gives the
// connection up after a quarter of an hour.
func TestSilentDatabaseIsOutOfOrder(t *testing.T) {
	dsn, w := wired(t, pgtest.DSN(t))
	db, err := store.Open(t.Context(), dsn, store.Options{Secret: secret, Patience: time.Second})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	addInstances(t, db, false, "mi-1")
	rename := func() error {
		return db.Write(t.Context(), store.Mass, func(tx *store.Tx) error { return tx.Renamed("mi-1", "x") })
	}
	heal := sync.OnceFunc(w.gate.Unlock)
	w.gate.Lock()
	t.Cleanup(heal)
	over := make(chan struct{})
	go func() {
		defer close(over)
		if err := rename(); !errors.Is(err, store.ErrOutage) || db.BrokenUntil().IsZero() {
			t.Errorf("a change while the database is silent = %v, broken at %v; want ErrOutage and a time", err, db.BrokenUntil())
		}
		if _, err := db.AnyDue(t.Context(), db.Now()); err == nil {
			t.Error("a silent database was read")
		}
	}()
	within(t, 30*time.Second, over, "end of the change")
	heal()
	if err := rename(); err != nil {
		t.Errorf("a change when the database is back = %v", err)
	}
}
