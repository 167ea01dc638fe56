package gateway_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/gateway"
	"github.com/orderly-run/orderly/internal/pgtest"
	"github.com/orderly-run/orderly/internal/wire"
)

// natsServer starts a NATS server with the configuration of docs/scale-out.md.
func natsServer(t *testing.T, keys gateway.Keys) (port int) {
	t.Helper()
	doc, err := os.ReadFile("../../docs/scale-out.md")
	must(t, err)
	blocks := regexp.MustCompile("(?s)```\n(.*?)```").FindAllStringSubmatch(string(doc), -1)
	text := strings.NewReplacer("ISSUER", public(t, keys.Issuer), "USER", public(t, keys.User), "SYSTEM", public(t, keys.System)).Replace(blocks[len(blocks)-1][1])
	file := filepath.Join(t.TempDir(), "nats.conf")
	must(t, os.WriteFile(file, []byte("listen: 127.0.0.1:-1\n"+text), 0o600))
	opts, err := server.ProcessConfigFile(file)
	must(t, err)
	opts.NoSigs, opts.NoLog = true, true
	srv, err := server.NewServer(opts)
	must(t, err)
	go srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("NATS is not ready")
	}
	return opts.Port
}

// Promise 5: two equal servers on one database and one NATS; either may take any message.
func TestTwoServersServeOneFleet(t *testing.T) {
	url := pgtest.DSN(t)
	keys := gateway.Keys{Issuer: account(t), User: user(t), System: user(t)}
	port := strconv.Itoa(natsServer(t, keys))
	cluster := gateway.BusConfig{URL: "nats://127.0.0.1:" + port, Keys: keys}
	a, b := startOn(t, url, cluster), startOn(t, url, cluster)
	a.port, b.port = port, port
	var peers []*peer
	for range 6 {
		p := b.connect(a.register(), "link")
		peers = append(peers, p)
	}
	for i, c := range []*cell{a, b, a, b} {
		p := peers[i]
		invoke := c.run(p.id.instance)
		key := p.until("a run", func(m wire.ToAgent) bool { return m.Run != nil }).Run.TaskKey
		p.report(1, ended(key, orderly.Success, 0))
		p.until("an ack", func(m wire.ToAgent) bool { return m.Ack == 1 })
		b.becomes(invoke, orderly.Success)
	}
	gone := peers[4]
	closed := make(chan struct{})
	gone.nc.SetClosedHandler(func(*nats.Conn) { close(closed) })
	_, err := a.fleet.Deregister(t.Context(), caller, region, gone.id.instance, engine.Repetition{})
	must(t, err)
	select {
	case <-closed:
	case <-time.After(time.Second):
		t.Error("still connected 1 s after it was deregistered")
	}
	if _, err := b.dial(gone.id, "again", gone.id.key); err == nil {
		t.Error("a deregistered agent connected again")
	}
}

func account(t testing.TB) nkeys.KeyPair {
	t.Helper()
	kp, err := nkeys.CreateAccount()
	must(t, err)
	return kp
}

func user(t testing.TB) nkeys.KeyPair {
	t.Helper()
	kp, err := nkeys.CreateUser()
	must(t, err)
	return kp
}

func public(t testing.TB, kp nkeys.KeyPair) string {
	t.Helper()
	key, err := kp.PublicKey()
	must(t, err)
	return key
}
