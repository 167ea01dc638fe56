package e2e_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/orderly-run/orderly/e2e/stage"
)

// authority is the certificate of a server's own authority, as anybody reads it from its file.
func authority(t *testing.T, s *stage.Server) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode(text)
	if block == nil || len(strings.TrimSpace(string(rest))) > 0 {
		t.Fatalf("%s is not one PEM block", s.CAFile)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// trusting is the vendor's Go client that trusts an authority and no other.
func trusting(t *testing.T, s *stage.Server, ca *x509.Certificate) *ecs.Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	c := goSDK(t, s.Endpoint, s.KeyID, s.Secret)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	c.SetTransport(transport)
	return c
}

// A server makes an authority of its own, machines check it by the fingerprint, clients by its
// file, and nobody trusts it otherwise. It stays the same over all lives of the server.
func TestTLS(t *testing.T) {
	t.Parallel()
	s := stage.Open(t, stage.Options{TLS: true, Scale: 10}) // agents come back within 1 s
	ca := authority(t, s)
	sum := sha256.Sum256(ca.Raw)
	if want := "sha256:" + hex.EncodeToString(sum[:]); s.Fingerprint != want || !ca.IsCA {
		t.Errorf("fingerprint = %s, want %s, of a CA", s.Fingerprint, want)
	}
	p := &play{t, s, trusting(t, s, ca), "JSON"}
	a := p.registerWithFingerprint(ca)
	p.runOverTLS(a)

	before := a.Welcomes()
	s.Stop()
	s.Start()
	a.AwaitWelcome(before)
	if !authority(t, s).Equal(ca) {
		t.Error("the authority is another one after a restart")
	}
	p.runOverTLS(a)
	p.strangersFail()
}

// registerWithFingerprint registers with the right fingerprint, after others were refused and used
// nothing up.
func (p *play) registerWithFingerprint(ca *x509.Certificate) *stage.Agent {
	p.Helper()
	q := ecs.CreateCreateActivationRequest()
	q.InstanceCount = number(1)
	code := ask(p, p.SDK.CreateActivation, q)
	leaf := sha256.Sum256([]byte("another"))
	for _, wrong := range []string{"", "sha256:" + hex.EncodeToString(leaf[:]), "sha256:12"} {
		r, err := p.Server.TryRegister("wrong", code.ActivationId, code.ActivationCode, "--ca-fingerprint", wrong)
		if err == nil || strings.Contains(r.Said, code.ActivationCode) {
			p.Errorf("register with fingerprint %q: %v, said %q", wrong, err, r.Said)
		}
	}
	if used := p.activation(code.ActivationId).RegisteredCount; used != 0 {
		p.Errorf("uses of the activation = %d, want 0", used)
	}
	sum := sha256.Sum256(ca.Raw)
	plain := strings.ToUpper(hex.EncodeToString(sum[:])) // also as other tools write it
	a := p.Server.Register("right", code.ActivationId, code.ActivationCode, "--ca-fingerprint", plain)
	a.Start()
	return a
}

// runOverTLS runs a command with the Go and the Node SDK.
func (p *play) runOverTLS(a *stage.Agent) {
	p.Helper()
	run := ask(p, p.SDK.RunCommand, newRun("echo safe", a))
	want := once(run.InvokeId, run.CommandId, "echo safe")
	want.InvocationStatus, want.InvokeStatus = "Success", "Finished"
	p.checkEnded(p.ended(run.InvokeId), want, on(a, "safe\n"))

	node := openNode(p.T, "sdk-v3", p.Server, "NODE_EXTRA_CA_CERTS="+p.Server.CAFile)
	made := node.call("RunCommand", object{
		"RegionId": stage.Region, "Type": "RunShellScript", "CommandContent": "echo safe", "InstanceId": []string{a.ID},
	})
	list := node.ended(made["InvokeId"])["Invocations"].(object)["Invocation"].([]any)
	if got := list[0].(object)["InvocationStatus"]; got != "Success" {
		p.Errorf("run by the Node SDK: %v, want Success", got)
	}
}

// strangersFail checks that clients which do not know the authority, or do not speak TLS, get nowhere.
func (p *play) strangersFail() {
	p.Helper()
	unaware := goSDK(p, p.Server.Endpoint, p.Server.KeyID, p.Server.Secret)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}}
	unaware.SetTransport(transport)
	_, err := unaware.DescribeRegions(ecs.CreateDescribeRegionsRequest())
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		p.Errorf("a client that does not know the authority: %v", err)
	}
	plain := goSDK(p, "http://"+p.Server.Host(), p.Server.KeyID, p.Server.Secret)
	if _, err := plain.DescribeRegions(ecs.CreateDescribeRegionsRequest()); err == nil {
		p.Error("a client in plain text is answered")
	}
}
