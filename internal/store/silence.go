package store

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// maxSilence is how long a database may be silent unless Options say otherwise.
const maxSilence = 30 * time.Second

var errSilent = errors.New("the database is silent")

// listen has every connection of cfg end when the database is silent for longer than db.silence. A machine that
// lost its power, or a network that broke, says nothing: the system would wait for a quarter of an hour, and with it
// everybody who needs the database.
func (db *DB) listen(cfg *pgx.ConnConfig, patience time.Duration) {
	cfg.ConnectTimeout = min(cfg.ConnectTimeout, cmp.Or(patience, maxSilence))
	dial := cfg.DialFunc
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &listener{Conn: conn, silence: &db.silence}, nil
	}
}

// A listener is a connection to a database.
type listener struct {
	net.Conn
	silence *atomic.Int64 // ns; 0 for any

	mu  sync.Mutex
	set time.Time // deadline that its user has set, which goes before ours; zero for none
}

func (l *listener) Read(p []byte) (int, error) {
	if err := l.limit(l.SetReadDeadline); err != nil {
		return 0, err
	}
	n, err := l.Conn.Read(p)
	return n, l.explain(err)
}

func (l *listener) Write(p []byte) (int, error) {
	if err := l.limit(l.SetWriteDeadline); err != nil {
		return 0, err
	}
	n, err := l.Conn.Write(p)
	return n, l.explain(err)
}

func (l *listener) SetDeadline(at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.set = at
	return l.Conn.SetDeadline(at)
}

// limit bounds what is done next.
func (l *listener) limit(set func(time.Time) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := l.silence.Load(); d > 0 && l.set.IsZero() {
		return set(time.Now().Add(time.Duration(d)))
	}
	return nil
}

// explain tells our own deadline, after which the connection is of no use, from one that the driver has set to give
// something up.
func (l *listener) explain(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(err, os.ErrDeadlineExceeded) && l.set.IsZero() {
		return errSilent
	}
	return err
}
