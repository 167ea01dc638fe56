package stage

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
	"time"
)

// Patience is how long a story waits for something that should come at once: long, for machines
// that are busy with other things.
const Patience = 30 * time.Second

// Await asks until there is no error any more, first often and then less so. The test ends when
// there still is one after that time.
func Await(t testing.TB, within time.Duration, what string, ask func() error) {
	t.Helper()
	deadline := time.Now().Add(within)
	for pause := 2 * time.Millisecond; ; pause = min(pause*3/2, 50*time.Millisecond) {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not in %v: %s: %v", within, what, err)
		}
		select {
		case <-time.After(pause):
		case <-t.Context().Done():
			t.Fatalf("the test has ended before %s: %v", what, err)
		}
	}
}

// Ports are chosen below those that systems give to outgoing connections, so that nobody takes
// one while its server is down.
const (
	firstPort = 20000
	ports     = 12000
)

// freePort is a port of the loopback address that nobody listens on now.
func freePort(t testing.TB) string {
	t.Helper()
	for range 1000 {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+rand.IntN(ports)))
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}
