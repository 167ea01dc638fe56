package client

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// ErrOtherCA means that a server presents no certificate with the fingerprint that was given.
var ErrOtherCA = errors.New("the server does not present the authority with this fingerprint")

// transport connects to host, and trusts an authority by its file or its fingerprint; those of the
// system when neither is given.
func transport(host, caFile, fingerprint string) (*http.Transport, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 16
	var err error
	switch {
	case caFile != "" && fingerprint != "":
		err = errors.New("the authority to trust is given twice, by a file and by a fingerprint: give one of them")
	case caFile != "":
		t.TLSClientConfig, err = trustFile(caFile)
	case fingerprint != "":
		t.TLSClientConfig, err = trustFingerprint(host, fingerprint)
	}
	return t, err
}

func trustFile(path string) (*tls.Config, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read trusted authorities: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", path)
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}

// trustFingerprint trusts the authority with a fingerprint and no other: the server presents it.
func trustFingerprint(host, fingerprint string) (*tls.Config, error) {
	digits := strings.ReplaceAll(strings.TrimPrefix(strings.ToLower(strings.TrimSpace(fingerprint)), "sha256:"), ":", "")
	want, err := hex.DecodeString(digits)
	if err != nil || len(want) != sha256.Size {
		return nil, fmt.Errorf("%q is not the SHA-256 fingerprint of an authority", fingerprint)
	}
	verify := func(s tls.ConnectionState) error {
		if err := verify(s.PeerCertificates, host, [sha256.Size]byte(want)); err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: err}
		}
		return nil
	}
	// VerifyConnection checks the chain and the name, from a root that the server brings along.
	return &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, VerifyConnection: verify}, nil
}

func verify(chain []*x509.Certificate, host string, want [sha256.Size]byte) error {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	found := false
	for _, cert := range chain {
		between.AddCert(cert)
		if sha256.Sum256(cert.Raw) == want {
			roots.AddCert(cert)
			found = true
		}
	}
	if !found {
		return ErrOtherCA
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: host})
	return err
}
