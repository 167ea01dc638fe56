package server_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly/internal/server"
)

// knock opens a connection to a server from one of this machine's addresses.
func knock(t *testing.T, srv *server.Server, from string) net.Conn {
	t.Helper()
	u, err := url.Parse(srv.Endpoint())
	must(t, err)
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	conn, err := d.DialContext(t.Context(), "tcp", u.Host)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// served reports whether a connection gets an answer, and goes on.
func served(t *testing.T, conn net.Conn) bool {
	t.Helper()
	must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		return false
	}
	n, err := conn.Read(make([]byte, 4096))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the connection is neither served nor closed")
	}
	return n > 0
}

// Who holds many connections keeps out himself, and nobody else.
func TestConnectionsOfOneAddressAreLimited(t *testing.T) {
	srv := run(t, server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0", HTTP: server.HTTPLimits{ConnectionsOf: 2, Connections: 3}})
	first, second := knock(t, srv, "127.0.0.1"), knock(t, srv, "127.0.0.1")
	if !served(t, first) || !served(t, second) {
		t.Fatal("the first two are not served")
	}
	if served(t, knock(t, srv, "127.0.0.1")) {
		t.Error("a third connection from one address is served, want it closed")
	}
	if !served(t, knock(t, srv, "127.0.0.2")) {
		t.Error("another address is kept out")
	}
	if served(t, knock(t, srv, "127.0.0.3")) {
		t.Error("a fourth connection in all is served, want it closed")
	}
	first.Close()
	for deadline := time.Now().Add(10 * time.Second); !served(t, knock(t, srv, "127.0.0.1")); {
		if time.Now().After(deadline) {
			t.Fatal("a place that became free is not given again")
		}
	}
}

// A caller that is slow to say what it wants is not waited for.
func TestSlowRequestsAreCutOff(t *testing.T) {
	srv := run(t, server.Config{
		Data: t.TempDir(), Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0",
		HTTP: server.HTTPLimits{HeaderTimeout: 200 * time.Millisecond, RequestTimeout: 500 * time.Millisecond, IdleTimeout: 300 * time.Millisecond},
	})
	for name, text := range map[string]string{
		"silence":          "",
		"half a head":      "POST / HTTP/1.1\r\nHost: h\r\nX-Slow",
		"half a body":      "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nAction=",
		"nothing after it": "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n",
	} {
		conn := knock(t, srv, "127.0.0.1")
		_, err := io.WriteString(conn, text)
		must(t, err)
		must(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection is still open", name)
		}
	}
}

// Nobody needs a key to send much; so nothing is kept of it, and nobody reads it to its end.
func TestLargeRequestsAreRefusedUnread(t *testing.T) {
	srv := run(t, server.Config{
		Data: t.TempDir(), Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0", HTTP: server.HTTPLimits{Header: 8 << 10, Body: 4 << 10},
	})
	resp, err := http.Get(srv.Endpoint() + "/?Action=" + strings.Repeat("x", 16<<10))
	must(t, err)
	must(t, resp.Body.Close())
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a large head is answered with %d, want 431", resp.StatusCode)
	}
	resp, err = http.Post(srv.Endpoint(), "application/x-www-form-urlencoded", strings.NewReader("Action="+strings.Repeat("x", 8<<10)))
	must(t, err)
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	must(t, resp.Body.Close())
	if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "too large") {
		t.Errorf("a large body is answered with %d %s, want 400 and too large", resp.StatusCode, text)
	}
}

// Nobody needs a key to send bodies and leave them unfinished: who does holds no more than its share of memory, and takes
// others nothing.
func TestUnfinishedBodiesAreBounded(t *testing.T) {
	const body, each, sent = 64 << 10, 256 << 10, 60 << 10
	srv := run(t, server.Config{
		Data: t.TempDir(), Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0", HTTP: server.HTTPLimits{Body: body, BodiesOf: each, Bodies: 2 * each},
	})
	h := &house{t: t, key: srv.First().Key, endpoint: srv.Endpoint()}
	var open []net.Conn
	refused := make(chan string, 20)
	for range cap(refused) {
		conn := knock(t, srv, "127.0.0.2")
		open = append(open, conn)
		_, err := io.WriteString(conn, "POST /?Format=JSON HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 65536\r\n\r\n"+strings.Repeat("x", sent))
		must(t, err)
		go func() {
			text := make([]byte, 4096)
			n, _ := conn.Read(text)
			refused <- string(text[:n])
		}()
	}
	for range cap(refused) - each/sent {
		select {
		case text := <-refused:
			if !strings.Contains(text, "503 ") || !strings.Contains(text, `"Code":"ServiceUnavailable"`) {
				t.Errorf("a body beyond the share is answered %q, want 503 ServiceUnavailable", text)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("bodies beyond the share are held")
		}
	}
	if status, text := h.call(h.key, "DescribeInvocations", nil); status != http.StatusOK {
		t.Errorf("another address is answered %d %s meanwhile, want 200", status, text)
	}
	for _, conn := range open {
		must(t, conn.Close())
	}
	post := func() int { // from the address that held so much
		conn := knock(t, srv, "127.0.0.2")
		_, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 65536\r\n\r\n"+strings.Repeat("x", body))
		must(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		must(t, err)
		must(t, resp.Body.Close())
		return resp.StatusCode
	}
	for deadline := time.Now().Add(20 * time.Second); post() == http.StatusServiceUnavailable; {
		if time.Now().After(deadline) {
			t.Fatal("what was held is not given back")
		}
	}
}

func metricsOf(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(text)
}

// Metrics tell of a fleet to who has no key: they are where the operator wants them, and on loopback.
func TestMetricsAreWhereTheyAreWanted(t *testing.T) {
	here := run(t, server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0"})
	if status, body := metricsOf(t, here.Endpoint()+"/metrics"); status != http.StatusOK || !strings.Contains(body, "orderly_links 0") {
		t.Errorf("on loopback: %d %.200s, want metrics", status, body)
	}
	apart := run(t, server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0", MetricsListen: "127.0.0.1:0"})
	if status, body := metricsOf(t, apart.Metrics()); status != http.StatusOK || !strings.Contains(body, "orderly_connections_refused_total 0") {
		t.Errorf("on an address of their own: %d %.200s, want metrics", status, body)
	}
	if status, body := metricsOf(t, apart.Endpoint()+"/metrics"); status == http.StatusOK || strings.Contains(body, "orderly_links") {
		t.Errorf("beside the API then: %d %.200s, want none", status, body)
	}
	open := run(t, server.Config{Data: t.TempDir(), Listen: "0.0.0.0:0", NATSListen: "127.0.0.1:0"})
	if got := open.Metrics(); got != "" {
		t.Errorf("where everybody can call: metrics at %q, want none", got)
	}
}
