package agent_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly/internal/agent"
	"github.com/orderly-run/orderly/internal/wire"
)

// A site is the server's side of registration, with a CA of its own.
type site struct {
	*httptest.Server
	ca     *x509.Certificate
	keys   []string
	status int
	answer any
}

func newSite(t *testing.T, names ...net.IP) *site {
	t.Helper()
	s := &site{status: http.StatusOK, answer: wire.Registered{InstanceID: instance, Region: "cn-hangzhou", Name: "web-1", NATS: "nats://127.0.0.1:4222"}}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var reg wire.Registration
		if err := json.NewDecoder(r.Body).Decode(&reg); err != nil {
			t.Error(err)
		}
		s.keys = append(s.keys, reg.PublicKey)
		w.WriteHeader(s.status)
		w.Write(wire.Encode(s.answer))
	}))
	caKey, ca := certificate(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	leafKey, leaf := certificate(t, &x509.Certificate{IPAddresses: names}, ca, caKey)
	s.ca = ca
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw, ca.Raw}, PrivateKey: leafKey}}}
	s.Config.ErrorLog = log.New(t.Output(), "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func certificate(t testing.TB, c, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: "test"}
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	if parent == nil {
		parent, parentKey = c, k
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, parent, &k.PublicKey, parentKey)
	must(t, err)
	cert, err := x509.ParseCertificate(raw)
	must(t, err)
	return k, cert
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

func (s *site) register(t *testing.T, c agent.RegisterConfig) (agent.Identity, error) {
	t.Helper()
	c.ActivationID, c.ActivationCode = "a", "c"
	if c.Server == "" {
		c.Server = s.URL
	}
	if c.Root == "" {
		c.Root = root(t, machine1)
	}
	return agent.Register(t.Context(), c)
}

var loopback = net.IPv4(127, 0, 0, 1)

func TestRegistrationTrustsTheFingerprintOnly(t *testing.T) {
	s, other := newSite(t, loopback), newSite(t, loopback)
	good := fingerprint(s.ca)
	var colons []string
	for i := 0; i < len(good); i += 2 {
		colons = append(colons, strings.ToUpper(good[i:i+2]))
	}
	for _, f := range []string{good, "sha256:" + good, strings.Join(colons, ":")} {
		id, err := s.register(t, agent.RegisterConfig{Dir: t.TempDir(), CAFingerprint: f})
		if err != nil || id.Instance != instance || id.Name != "web-1" {
			t.Errorf("register with %s = %+v, %v", f, id, err)
		}
	}
	n := len(s.keys)
	if _, err := s.register(t, agent.RegisterConfig{Dir: t.TempDir(), CAFingerprint: fingerprint(other.ca)}); !errors.Is(err, agent.ErrOtherCA) {
		t.Errorf("with another fingerprint: %v, want ErrOtherCA", err)
	}
	for _, f := range []string{"", "sha256:12", "nonsense"} {
		if _, err := s.register(t, agent.RegisterConfig{Dir: t.TempDir(), CAFingerprint: f}); err == nil {
			t.Errorf("with fingerprint %q: no error", f)
		}
	}
	if len(s.keys) != n {
		t.Error("a code was given away to a server that nobody vouches for")
	}
	elsewhere := newSite(t, net.IPv4(192, 0, 2, 1))
	if _, err := elsewhere.register(t, agent.RegisterConfig{Dir: t.TempDir(), CAFingerprint: fingerprint(elsewhere.ca)}); err == nil {
		t.Error("a certificate for another host is taken")
	}
}

func TestPlainTextOnlyOnThisMachine(t *testing.T) {
	s := newSite(t, loopback)
	for _, url := range []string{"http://192.0.2.1:80", "http://example.com", "ftp://127.0.0.1", "127.0.0.1:80", ""} {
		if url == "" {
			continue
		}
		_, err := s.register(t, agent.RegisterConfig{Dir: t.TempDir(), Server: url})
		if err == nil || strings.Contains(err.Error(), "dial") {
			t.Errorf("register at %s = %v, want a refusal at once", url, err)
		}
	}
	s.answer = wire.Registered{InstanceID: instance, NATS: "nats://192.0.2.1:4222"}
	if _, err := s.register(t, agent.RegisterConfig{Dir: t.TempDir(), CAFingerprint: fingerprint(s.ca)}); err == nil {
		t.Error("a bus without TLS on another machine is taken")
	}
}

func TestLostAnswerIsAskedForWithTheSameKey(t *testing.T) {
	s := newSite(t, loopback)
	c := agent.RegisterConfig{Dir: filepath.Join(t.TempDir(), "new"), CAFingerprint: fingerprint(s.ca), Root: root(t, machine1)}
	s.status, s.answer = http.StatusBadGateway, "no"
	if _, err := s.register(t, c); err == nil {
		t.Fatal("no error")
	}
	s.status, s.answer = http.StatusOK, wire.Registered{InstanceID: instance, NATS: "nats://127.0.0.1:4222"}
	_, err := s.register(t, c)
	must(t, err)
	if len(s.keys) != 2 || s.keys[0] != s.keys[1] {
		t.Errorf("keys = %v, want the same twice", s.keys)
	}
	if _, err := s.register(t, c); !errors.Is(err, agent.ErrRegistered) || len(s.keys) != 2 {
		t.Errorf("register again = %v, want ErrRegistered", err)
	}
	j := open(t, filepath.Join(c.Dir, "journal"), boot)
	before := j.Incarnation()
	c.Force = true
	if _, err := s.register(t, c); err == nil {
		t.Error("registered anew while an agent works")
	}
	must(t, j.Close())
	_, err = s.register(t, c)
	must(t, err)
	if s.keys[2] == s.keys[1] {
		t.Error("a new registration has the old key")
	}
	j = open(t, filepath.Join(c.Dir, "journal"), boot)
	if j.Incarnation() == before {
		t.Error("a new registration has the old journal")
	}
	must(t, j.Close())
	for _, name := range []string{"", "identity.json"} {
		info, err := os.Stat(filepath.Join(c.Dir, name))
		if err != nil || info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" { // where there are no such modes
			t.Errorf("%q: mode %v, %v", name, info.Mode(), err)
		}
	}
}

func TestRefusalIsReadable(t *testing.T) {
	s := newSite(t, loopback)
	s.status, s.answer = http.StatusForbidden, wire.Problem{Code: "ActivationExpired", Message: "the activation code has expired"}
	_, err := s.register(t, agent.RegisterConfig{Dir: t.TempDir(), CAFingerprint: fingerprint(s.ca)})
	refusal, ok := errors.AsType[*agent.Refusal](err)
	if !ok || refusal.Code != "ActivationExpired" || !strings.Contains(err.Error(), "has expired") {
		t.Errorf("register = %v, want a refusal that says why", err)
	}
}
