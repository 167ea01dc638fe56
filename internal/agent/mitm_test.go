package agent_test

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"
	"time"

	"github.com/orderly-run/orderly/internal/agent"
)

// Nobody in between is taken for the server, whatever chain he presents: the CA's certificate is
// public, its key is not.
func TestNobodyInBetweenIsTakenForTheServer(t *testing.T) {
	caKey, ca := certificate(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	leaf := func() *x509.Certificate { return &x509.Certificate{IPAddresses: []net.IP{loopback}} }
	otherKey, other := certificate(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	ownKey, own := certificate(t, leaf(), ca, caKey) // a leaf of the CA, whose key somebody has got
	old := leaf()
	old.NotBefore, old.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	try := func(key *ecdsa.PrivateKey, chain []*x509.Certificate) (registrations int, err error) {
		s := newSite(t, loopback)
		cert := tls.Certificate{PrivateKey: key}
		for _, c := range chain {
			cert.Certificate = append(cert.Certificate, c.Raw)
		}
		s.TLS.Certificates = []tls.Certificate{cert}
		_, err = s.register(t, agent.RegisterConfig{Dir: t.TempDir(), CAFingerprint: fingerprint(ca)})
		return len(s.keys), err
	}
	if n, err := try(ownKey, []*x509.Certificate{own, ca}); err != nil || n != 1 {
		t.Fatalf("the server itself: %v, %d registrations, want one", err, n)
	}
	for name, c := range map[string]func() (*ecdsa.PrivateKey, []*x509.Certificate){
		"leaf of another CA with the right CA beside it": func() (*ecdsa.PrivateKey, []*x509.Certificate) {
			k, l := certificate(t, leaf(), other, otherKey)
			return k, []*x509.Certificate{l, other, ca}
		},
		"leaf that signed itself": func() (*ecdsa.PrivateKey, []*x509.Certificate) {
			k, l := certificate(t, leaf(), nil, nil)
			return k, []*x509.Certificate{l, ca}
		},
		"leaf signed by a leaf of the CA": func() (*ecdsa.PrivateKey, []*x509.Certificate) {
			k, l := certificate(t, leaf(), own, ownKey)
			return k, []*x509.Certificate{l, own, ca}
		},
		"leaf for another host": func() (*ecdsa.PrivateKey, []*x509.Certificate) {
			k, l := certificate(t, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}}, ca, caKey)
			return k, []*x509.Certificate{l, ca}
		},
		"leaf for clients": func() (*ecdsa.PrivateKey, []*x509.Certificate) {
			c := leaf()
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
			k, l := certificate(t, c, ca, caKey)
			return k, []*x509.Certificate{l, ca}
		},
		"leaf that has expired": func() (*ecdsa.PrivateKey, []*x509.Certificate) {
			k, l := certificate(t, old, ca, caKey)
			return k, []*x509.Certificate{l, ca}
		},
	} {
		if n, err := try(c()); err == nil || n > 0 {
			t.Errorf("%s: %v, and %d registrations were sent", name, err, n)
		}
	}
}
