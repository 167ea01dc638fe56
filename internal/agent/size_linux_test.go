package agent_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
)

// The budgets of the design.
const (
	maxFile  = 12 << 20
	maxIdle  = 10 << 20
	maxFlood = 20 << 20
)

func TestProgramIsSmall(t *testing.T) {
	w := worldOn(t, "/", encrypted)
	path, err := build()
	must(t, err)
	info, err := os.Stat(path)
	must(t, err)
	if info.Size() > maxFile {
		t.Errorf("the program has %d bytes, want at most %d", info.Size(), maxFile)
	}
	cmd := w.program()
	w.end(w.run(1, "echo hello"))
	<-time.After(time.Second) // the times here are twenty times shorter, Rest among them
	idle := resident(t, cmd.Process.Pid)
	flood := w.run(2, "yes 'a line of output that nobody will ever read' | head -c 300000000")
	w.state(flood, orderly.Running)
	most := 0
	w.until("the end of the flood", func() bool {
		most = max(most, resident(t, cmd.Process.Pid))
		return w.count(flood, orderly.Success) > 0
	})
	<-time.After(500 * time.Millisecond)
	after := resident(t, cmd.Process.Pid)
	t.Logf("file %d, resident idle %d, under a flood %d, after it %d", info.Size(), idle, most, after)
	if idle > maxIdle || max(most, after) > maxFlood {
		t.Errorf("%d bytes are resident when idle, want at most %d; %d under a flood, want at most %d", idle, maxIdle, max(most, after), maxFlood)
	}
}

// resident is how much memory a process holds, in bytes.
func resident(t *testing.T, pid int) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(t, err)
	_, rest, _ := strings.Cut(string(data), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	must(t, err)
	return kb << 10
}

// encrypted gives the bus a certificate by a CA of its own.
func encrypted(w *world) {
	caKey, ca := certificate(w.t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	leafKey, leaf := certificate(w.t, &x509.Certificate{IPAddresses: []net.IP{loopback}}, ca, caKey)
	w.tls = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: leafKey}}}
	w.ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}))
}
