//go:build unix

package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderly-run/orderly/internal/agent"
	"github.com/orderly-run/orderly/internal/auth"
	"github.com/orderly-run/orderly/internal/server"
)

// A machine is one with a real agent.
type machine struct {
	dir string
	log *notes
}

// notes are what an agent logs, with all there is to it.
type notes struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(p)
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// join registers a machine at a server and runs its agent until the test ends.
func join(t *testing.T, srv *server.Server, reg agent.RegisterConfig, cfg agent.Config) *machine {
	t.Helper()
	var err error
	reg.ActivationID, reg.ActivationCode, err = srv.Activate(t.Context(), 1)
	must(t, err)
	reg.Dir = t.TempDir()
	if reg.Server == "" {
		reg.Server = srv.Endpoint()
	}
	_, err = agent.Register(t.Context(), reg)
	must(t, err)
	m := &machine{dir: reg.Dir, log: &notes{}}
	cfg.Dir, cfg.Times = reg.Dir, agent.DefaultTimes.Scale(20)
	cfg.Log = slog.New(slog.NewTextHandler(io.MultiWriter(m.log, t.Output()), &slog.HandlerOptions{Level: slog.LevelDebug}))
	a, err := agent.New(cfg)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() { cancel(); must(t, <-ended) })
	return m
}

// connected waits until the agent is, and returns what it tells of itself.
func (m *machine) connected(t *testing.T) (s agent.Status) {
	t.Helper()
	eventually(t, "a connection", func() bool {
		var err error
		s, err = agent.ReadStatus(m.dir)
		must(t, err)
		return s.Standing == agent.Connected
	})
	return s
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
	}
}

// echo runs a command on all machines of a server and returns what one said.
func (h *house) echo(text string) (output string) {
	h.t.Helper()
	ran := h.ask(h.key, "RunCommand", auth.Params{"Type": "RunShellScript", "CommandContent": "echo " + text, "ResourceTag.1.Key": "orderly:all", "ContentEncoding": "PlainText"})
	eventually(h.t, "a result", func() bool {
		var r struct {
			Invocation struct {
				InvocationResults struct {
					InvocationResult []struct{ InvocationStatus, Output string }
				}
			}
		}
		status, body := h.call(h.key, "DescribeInvocationResults", auth.Params{"InvokeId": fmt.Sprint(ran["InvokeId"]), "ContentEncoding": "PlainText"})
		if status != http.StatusOK {
			h.t.Fatalf("%d %s", status, body)
		}
		must(h.t, json.Unmarshal([]byte(body), &r))
		for _, one := range r.Invocation.InvocationResults.InvocationResult {
			output = one.Output
			return one.InvocationStatus == "Success"
		}
		return false
	})
	return strings.TrimSpace(output)
}

func houseOf(t *testing.T, srv *server.Server) *house {
	return &house{t: t, key: srv.First().Key, endpoint: srv.Endpoint()}
}

// nobody is an address at which nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

// One open port suffices: where the bus cannot be reached, its connection goes through the API's address,
// and commands run and report as ever.
func TestMachineGoesThroughTheAPIWhereTheBusCannotBeReached(t *testing.T) {
	for name, cfg := range map[string]agent.Config{"by itself": {}, "as it is told": {Transport: agent.WebSocket}} {
		t.Run(name, func(t *testing.T) {
			srv := run(t, server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0", AdvertiseNATS: nobody(t), TLS: "on"})
			m := join(t, srv, agent.RegisterConfig{CAFingerprint: srv.Fingerprint()}, cfg)
			if s := m.connected(t); s.Transport != agent.WebSocket {
				t.Errorf("connected by %s, want %s", s.Transport, agent.WebSocket)
			}
		})
	}
}

func TestCommandRunsThroughAWebSocket(t *testing.T) {
	srv := run(t, server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0"})
	m := join(t, srv, agent.RegisterConfig{}, agent.Config{Transport: agent.WebSocket})
	if s := m.connected(t); s.Transport != agent.WebSocket || !s.Running || s.PID != os.Getpid() {
		t.Errorf("the agent says %+v, want it running and connected by %s", s, agent.WebSocket)
	}
	if got := houseOf(t, srv).echo("hello"); got != "hello" {
		t.Errorf("output = %q, want hello", got)
	}
	info, err := os.Stat(filepath.Join(m.dir, "status.json"))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the status has mode %v, want 0600", info.Mode())
	}
}

// TCP is what is tried first, and it stays with it.
func TestMachinePrefersTCP(t *testing.T) {
	srv := run(t, server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0"})
	if s := join(t, srv, agent.RegisterConfig{}, agent.Config{}).connected(t); s.Transport != agent.TCP {
		t.Errorf("connected by %s, want %s", s.Transport, agent.TCP)
	}
}

// A bus that takes connections and says nothing is none: a network that only lets known protocols through
// looks like that.
func TestMachineLeavesABusThatSaysNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	srv := run(t, server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0", AdvertiseNATS: l.Addr().String()})
	if s := join(t, srv, agent.RegisterConfig{}, agent.Config{}).connected(t); s.Transport != agent.WebSocket {
		t.Errorf("connected by %s, want %s", s.Transport, agent.WebSocket)
	}
}

// A gate is a proxy that asks for credentials.
type gate struct {
	*httptest.Server
	mu     sync.Mutex
	passed []string // addresses it was asked for
	denied int
}

func newGate(t *testing.T) *gate {
	g := &gate{}
	g.Server = httptest.NewServer(http.HandlerFunc(g.pass))
	t.Cleanup(g.Close)
	return g
}

func (g *gate) pass(w http.ResponseWriter, r *http.Request) {
	req := &http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
	user, password, _ := req.BasicAuth()
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.Method != http.MethodConnect || user != "machine" || password != "s3cret p:ss" {
		g.denied++
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	far, err := net.Dial("tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	near, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		far.Close()
		return
	}
	g.passed = append(g.passed, r.Host)
	go carry(near, far, buffered.Reader)
	_, _ = fmt.Fprint(near, "HTTP/1.1 200 OK\r\n\r\n")
	go carry(far, near, bufio.NewReader(far))
}

func carry(from, to net.Conn, in io.Reader) {
	_, _ = io.Copy(to, in)
	from.Close()
	to.Close()
}

func (g *gate) url(credentials string) string {
	return "http://" + credentials + "@" + g.Listener.Addr().String()
}

// All ways lead through the proxy that is set, and its password is in no log.
func TestMachineGoesThroughAProxy(t *testing.T) {
	for _, transport := range []agent.Transport{agent.TCP, agent.WebSocket} {
		t.Run(string(transport), func(t *testing.T) {
			g := newGate(t)
			srv := run(t, server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0"})
			m := join(t, srv, agent.RegisterConfig{Proxy: g.url("machine:s3cret%20p%3Ass")}, agent.Config{Transport: transport})
			m.connected(t)
			if got := houseOf(t, srv).echo("through"); got != "through" {
				t.Errorf("output = %q, want through", got)
			}
			g.mu.Lock()
			defer g.mu.Unlock()
			api := strings.TrimPrefix(srv.Endpoint(), "http://")
			if want := 2; len(g.passed) != want || g.passed[0] != api || (g.passed[1] == api) != (transport == agent.WebSocket) {
				t.Errorf("the proxy was asked for %q, want the API at %s for the registration and then the bus", g.passed, api)
			}
			if text := m.log.String(); strings.Contains(text, "s3cret") || strings.Contains(text, "czNjcmV0") {
				t.Errorf("the log has the password: %s", text)
			}
		})
	}
}

func TestProxyThatWantsOtherCredentialsIsNamed(t *testing.T) {
	g := newGate(t)
	srv := run(t, server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0"})
	id, code, err := srv.Activate(t.Context(), 1)
	must(t, err)
	_, err = agent.Register(t.Context(), agent.RegisterConfig{Dir: t.TempDir(), Server: srv.Endpoint(), ActivationID: id, ActivationCode: code, Proxy: g.url("machine:wr0ng")})
	if err == nil || !strings.Contains(err.Error(), agent.ErrProxyLogin.Error()) || strings.Contains(err.Error(), "wr0ng") {
		t.Errorf("register = %v, want %v without the password", err, agent.ErrProxyLogin)
	}
}

// Any of several servers will do, at registration and later; what the server tells of its addresses replaces
// what was given.
func TestMachineKnowsSeveralServers(t *testing.T) {
	away := "http://" + nobody(t)
	srv := run(t, server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0"})
	m := join(t, srv, agent.RegisterConfig{Server: away + "," + srv.Endpoint()}, agent.Config{Transport: agent.WebSocket})
	m.connected(t)
	id, err := agent.LoadIdentity(m.dir)
	must(t, err)
	if want := []string{away, srv.Endpoint()}; !slices.Equal(id.Addresses(), want) || id.Server != srv.Endpoint() {
		t.Errorf("the identity has %q, registered at %s; want %q and the one that answered", id.Addresses(), id.Server, want)
	}
	told := []string{"https://one.example", "https://two.example:8443"}
	teller := run(t, server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Advertise: told, AdvertiseNATS: nobody(t) + "," + nobody(t)})
	m = join(t, teller, agent.RegisterConfig{}, agent.Config{Transport: agent.TCP})
	if id, err = agent.LoadIdentity(m.dir); err != nil || !slices.Equal(id.Addresses(), told) || len(id.Buses) != 2 {
		t.Errorf("after a server told its addresses the identity has %q and %q, %v; want %q and two", id.Addresses(), id.Buses, err, told)
	}
}
