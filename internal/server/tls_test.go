package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/orderly-run/orderly/internal/server"
	"github.com/orderly-run/orderly/internal/wire"
)

// A certificate of one's own protects the API and the bus, and machines are told of no other CA.
func TestCertificateOfOnesOwn(t *testing.T) {
	dir := t.TempDir()
	cert, key, roots := certificate(t, dir)
	srv := run(t, server.Config{Data: dir, Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0", TLSCert: cert, TLSKey: key})
	trusting := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trusting}}
	answer, err := client.Get(srv.Endpoint() + "/readyz")
	must(t, err)
	must(t, answer.Body.Close())
	if !strings.HasPrefix(srv.Endpoint(), "https://") || answer.StatusCode != http.StatusOK || srv.Fingerprint() != "" {
		t.Errorf("%s answers %d, fingerprint %q; want 200 over TLS, and no CA of our own", srv.Endpoint(), answer.StatusCode, srv.Fingerprint())
	}
	got := register(t, srv, client)
	if !strings.HasPrefix(got.NATS, "tls://") || got.CA != "" {
		t.Errorf("machines are told %+v, want TLS and the CAs they trust", got)
	}
	if name := busCertificate(t, got.NATS, trusting).Subject.CommonName; name != "one's own" {
		t.Errorf("the bus shows the certificate of %q, want the same", name)
	}
}

// Who takes the bus's port on loopback while the server is away has no certificate that agents trust.
func TestBusIsProtectedOnLoopbackToo(t *testing.T) {
	srv := run(t, server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0"})
	got := register(t, srv, http.DefaultClient)
	roots := x509.NewCertPool()
	if !strings.HasPrefix(srv.Endpoint(), "http://") || !strings.HasPrefix(got.NATS, "tls://") || !roots.AppendCertsFromPEM([]byte(got.CA)) {
		t.Fatalf("API at %s, machines are told %+v; want a plain API, and a bus with TLS and its CA", srv.Endpoint(), got)
	}
	busCertificate(t, got.NATS, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
}

// run runs a server until the test ends.
func run(t *testing.T, cfg server.Config) *server.Server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	srv, err := server.New(ctx, cfg)
	must(t, err)
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	t.Cleanup(func() { cancel(); must(t, <-done) })
	select {
	case <-srv.Ready():
	case <-time.After(20 * time.Second):
		t.Fatal("the server is not ready within 20 s")
	}
	return srv
}

func register(t *testing.T, srv *server.Server, client *http.Client) wire.Registered {
	t.Helper()
	id, code, err := srv.Activate(t.Context(), 1)
	must(t, err)
	user, err := nkeys.CreateUser()
	must(t, err)
	public, err := user.PublicKey()
	must(t, err)
	body := wire.Encode(wire.Registration{ActivationID: id, ActivationCode: code, PublicKey: public, OS: "linux", Hostname: "h", AgentVersion: "1"})
	answer, err := client.Post(srv.Endpoint()+wire.RegisterPath, "application/json", strings.NewReader(string(body)))
	must(t, err)
	defer func() { must(t, answer.Body.Close()) }()
	var got wire.Registered
	must(t, json.NewDecoder(answer.Body).Decode(&got))
	return got
}

// busCertificate is the certificate that the bus shows to someone who trusts certain CAs.
func busCertificate(t *testing.T, bus string, trusting *tls.Config) *x509.Certificate {
	t.Helper()
	u, err := url.Parse(bus)
	must(t, err)
	conn, err := net.DialTimeout("tcp", u.Host, 5*time.Second)
	must(t, err)
	defer func() { _ = conn.Close() }()
	info := make([]byte, 4096) // NATS says what it is in plain text first
	_, err = conn.Read(info)
	must(t, err)
	trusting = trusting.Clone()
	trusting.ServerName = u.Hostname()
	secure := tls.Client(conn, trusting)
	must(t, secure.HandshakeContext(t.Context()))
	return secure.ConnectionState().PeerCertificates[0]
}

// certificate makes a certificate that is its own CA.
func certificate(t *testing.T, dir string) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	tmpl.Subject.CommonName = "one's own"
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, private.Public(), private)
	must(t, err)
	text, err := x509.MarshalECPrivateKey(private)
	must(t, err)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	must(t, os.WriteFile(cert, certPEM, 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: text}), 0o600))
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return cert, key, roots
}
