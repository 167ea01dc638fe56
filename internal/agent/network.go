package agent

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// ErrProxyLogin means that the proxy lets nobody through with the credentials that it was given.
var ErrProxyLogin = errors.New("the proxy wants other credentials (407)")

// NoProxy as a proxy means that none is used, whatever the environment says.
const NoProxy = "none"

// A proxy is how connections leave this machine: the URL of an HTTP proxy, NoProxy, or "" for what
// HTTPS_PROXY and NO_PROXY say of each host. It may hold credentials, and so no error of it quotes it.
type proxy string

// check finds what would keep p from being used.
func (p proxy) check() error {
	if p == "" || p == NoProxy {
		return nil
	}
	u, err := url.Parse(string(p))
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("the proxy is not http://[user:password@]host:port")
	}
	return nil
}

// to is the proxy on the way to an address, nil for none.
func (p proxy) to(address string) (*url.URL, error) {
	switch p {
	case NoProxy:
		return nil, nil //nolint:nilnil // as http.ProxyFromEnvironment says it
	case "":
		u, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: "https", Host: address}})
		if err != nil {
			return nil, errors.New("the proxy in the environment makes no sense")
		}
		if u != nil && u.Scheme != "http" && u.Scheme != "https" {
			return nil, errors.New("the proxy in the environment is none that speaks HTTP")
		}
		return u, nil
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return url.Parse(string(p))
}

// dial connects to an address as net.Dialer.DialContext does, through the proxy if there is one. The
// proxy is given the host's name and looks it up itself.
func (p proxy) dial(ctx context.Context, network, address string) (net.Conn, error) {
	through, err := p.to(address)
	if err != nil {
		return nil, err
	}
	d := &net.Dialer{KeepAliveConfig: keepAlive}
	if through == nil {
		return d.DialContext(ctx, network, address)
	}
	conn, err := d.DialContext(ctx, network, withPort(through))
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	tunnel, err := connectThrough(ctx, conn, through, address)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("proxy: %w", err)
	}
	return tunnel, nil
}

func withPort(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// connectThrough asks the proxy at the other end of conn for a way to an address.
func connectThrough(ctx context.Context, conn net.Conn, through *url.URL, address string) (net.Conn, error) {
	if through.Scheme == "https" {
		secure := tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: through.Hostname()})
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = secure
	}
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if u := through.User; u != nil {
		password, _ := u.Password()
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	rest, err := readConsent(conn, req)
	if err != nil || len(rest) == 0 {
		return conn, err
	}
	return &ahead{conn, rest}, nil
}

// maxConsent bounds what a proxy may say before it lets anything through.
const maxConsent = 64 << 10

// readConsent reads a proxy's answer to CONNECT; rest is what came after it, from the other end.
func readConsent(from io.Reader, req *http.Request) (rest []byte, err error) {
	in := bufio.NewReader(io.LimitReader(from, maxConsent))
	resp, err := http.ReadResponse(in, req) //nolint:bodyclose // what follows is not the body but the other end
	if err != nil {
		return nil, err
	}
	switch {
	case resp.StatusCode == http.StatusProxyAuthRequired:
		return nil, ErrProxyLogin
	case resp.StatusCode/100 != 2:
		return nil, fmt.Errorf("it answers %d", resp.StatusCode)
	}
	return in.Peek(in.Buffered())
}

// ahead is a connection of which something was read already.
type ahead struct {
	net.Conn
	rest []byte
}

func (a *ahead) Read(p []byte) (int, error) {
	if len(a.rest) == 0 {
		return a.Conn.Read(p)
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// client is an HTTP client for the API's addresses. It follows nobody elsewhere: what it carries is for
// this server only.
func (p proxy) client(trust *tls.Config, timeout time.Duration) *http.Client {
	return &http.Client{
		Transport: &http.Transport{DialContext: p.dial, TLSClientConfig: trust, DisableKeepAlives: true},
		Timeout:   timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}
