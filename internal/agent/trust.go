package agent

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ErrOtherCA means that a server presents no certificate with the given fingerprint.
var ErrOtherCA = errors.New("the server does not present the CA with this fingerprint: wrong fingerprint, wrong server, or somebody in between")

// trust is the TLS configuration that trusts the CA with a fingerprint and no other; the system's
// without one.
func trust(host, fingerprint string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if fingerprint == "" {
		return c, nil
	}
	want, err := parseFingerprint(fingerprint)
	if err != nil {
		return nil, err
	}
	c.InsecureSkipVerify = true // VerifyConnection does it, with a root that the server brings along
	c.VerifyConnection = func(s tls.ConnectionState) error { return verify(s, host, want) }
	return c, nil
}

func verify(s tls.ConnectionState, host string, want [sha256.Size]byte) error {
	if len(s.PeerCertificates) == 0 {
		return ErrOtherCA
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	found := false
	for _, cert := range s.PeerCertificates {
		between.AddCert(cert)
		if sha256.Sum256(cert.Raw) == want {
			roots.AddCert(cert)
			found = true
		}
	}
	if !found {
		return ErrOtherCA
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: host})
	return err
}

// parseFingerprint reads "sha256:" and 64 hexadecimal digits; the prefix, colons and case do not
// matter.
func parseFingerprint(s string) (sum [sha256.Size]byte, err error) {
	digits := strings.ToLower(strings.TrimSpace(s))
	digits = strings.ReplaceAll(strings.TrimPrefix(digits, "sha256:"), ":", "")
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) != len(sum) {
		return sum, fmt.Errorf("%q is not the SHA-256 fingerprint of a CA", s)
	}
	return [sha256.Size]byte(b), nil
}
