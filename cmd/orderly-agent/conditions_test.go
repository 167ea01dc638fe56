//go:build unix

package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/orderly-run/orderly/internal/agent"
	"github.com/orderly-run/orderly/internal/client"
)

// What scripts wait for has this long to happen.
const patience = 30 * time.Second

// conditions are commands of the scripts that make what the doctor is to find: really.
var conditions = map[string]func(*testscript.TestScript, bool, []string){
	"serve": serve, "deregister": deregister, "silence": silence, "nobody": nobody, "site": site, "gate": gate, "fill-disk": fillDisk,
	"wait-standing": waitStanding, "wait-gone": waitGone, "exits": exits,
}

// joining is the line by which a server that starts says how machines join it.
var joining = regexp.MustCompile(`--server (\S+) --activation-id (\S+) --activation-code (\S+)(?: --ca-fingerprint (\S+))?`)

// serve is serve [FLAG...]: a real server runs until the script ends. $SERVER is its URL, $FINGERPRINT its CA's, $ID
// and $CODE are of an activation.
func serve(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.Command(ts.Getenv("ORDERLY"), append([]string{"server", "--time-scale", "20"}, args...)...)
	dir := ts.MkAbs("server")
	cmd.Env = []string{
		"HOME=" + dir, "ORDERLY_DATA=" + dir, "ORDERLY_LISTEN=127.0.0.1:0", "ORDERLY_NATS_LISTEN=127.0.0.1:0",
		"ORDERLY_ACCESS_KEY_ID=key", "ORDERLY_ACCESS_KEY_SECRET=secret",
	}
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		ts.Check(cmd.Process.Signal(os.Interrupt))
		_, _ = io.Copy(io.Discard, out)
		ts.Check(cmd.Wait())
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if m := joining.FindStringSubmatch(lines.Text()); m != nil {
			for i, name := range []string{"SERVER", "ID", "CODE", "FINGERPRINT"} {
				ts.Setenv(name, m[i+1])
			}
			break
		}
	}
	until(ts, "the server is ready", func() bool {
		_, err := os.Stat(filepath.Join(dir, "server.json"))
		return err == nil
	})
}

// deregister is deregister DIR: the machine of an agent's directory.
func deregister(ts *testscript.TestScript, _ bool, args []string) {
	id, err := agent.LoadIdentity(ts.MkAbs(args[0]))
	ts.Check(err)
	c, err := client.New(client.Config{Endpoint: ts.Getenv("SERVER"), KeyID: "key", Secret: "secret", Region: id.Region})
	ts.Check(err)
	var answer struct{ RequestId string }
	ts.Check(c.Call(context.Background(), "DeregisterManagedInstance", struct{ InstanceId string }{id.Instance}, &answer))
}

// listen gives $name the URL of a listener that stays open until the script ends.
func listen(ts *testscript.TestScript, name string) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(name, "http://"+l.Addr().String())
	return l
}

// silence is silence NAME: connections are taken, and nothing is said on them.
func silence(ts *testscript.TestScript, _ bool, args []string) { listen(ts, args[0]) }

// nobody is nobody NAME: nobody listens there.
func nobody(ts *testscript.TestScript, _ bool, args []string) { listen(ts, args[0]).Close() }

// site is site NAME [-from D] [-to D] [-clock D]: a web site with a certificate that is good between two times,
// told from now, and with a clock that is off; without -from and -to it is one without TLS. $NAME_CA is the
// fingerprint of who signed.
func site(ts *testscript.TestScript, _ bool, args []string) {
	times := map[string]time.Duration{}
	for i := 1; i+1 < len(args); i += 2 {
		d, err := time.ParseDuration(args[i+1])
		ts.Check(err)
		times[args[i]] = d
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(times["-clock"]).UTC().Format(http.TimeFormat))
		_, _ = io.WriteString(w, "ok\n")
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	ts.Defer(s.Close)
	if _, secure := times["-to"]; !secure {
		s.Start()
		ts.Setenv(args[0], s.URL)
		return
	}
	ca := signed(ts, nil, tls.Certificate{}, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-1000 * time.Hour), NotAfter: time.Now().Add(1000 * time.Hour)})
	leaf := signed(ts, ca.Leaf, ca, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(times["-from"]), NotAfter: time.Now().Add(times["-to"])})
	leaf.Certificate = append(leaf.Certificate, ca.Certificate...)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{leaf}}
	s.StartTLS()
	sum := sha256.Sum256(ca.Certificate[0])
	ts.Setenv(args[0], s.URL)
	ts.Setenv(args[0]+"_CA", "sha256:"+hex.EncodeToString(sum[:]))
}

// signed makes a certificate; by itself without a parent.
func signed(ts *testscript.TestScript, parent *x509.Certificate, by tls.Certificate, c *x509.Certificate) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	var signer any = by.PrivateKey
	if parent == nil {
		parent, signer = c, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	ts.Check(err)
	parsed, err := x509.ParseCertificate(raw)
	ts.Check(err)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: parsed}
}

// gate is gate NAME: a proxy that lets nobody through without the credentials that nobody has.
func gate(ts *testscript.TestScript, _ bool, args []string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Proxy-Authenticate", `Basic realm="gate"`)
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	ts.Defer(s.Close)
	ts.Setenv(args[0], s.URL)
}

// fillDisk is fill-disk DIR: a small file system is mounted there that has the directory's files, and no room.
func fillDisk(ts *testscript.TestScript, _ bool, args []string) {
	dir, old := ts.MkAbs(args[0]), ts.MkAbs(args[0])+".old"
	ts.Check(os.Rename(dir, old))
	ts.Check(os.Mkdir(dir, 0o700))
	ts.Check(exec.Command("mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", dir).Run())
	ts.Defer(func() { ts.Check(exec.Command("umount", "-l", dir).Run()) })
	ts.Check(os.CopyFS(dir, os.DirFS(old)))
	f, err := os.Create(filepath.Join(dir, "filler"))
	ts.Check(err)
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	ts.Check(f.Close())
	if !errors.Is(err, syscall.ENOSPC) {
		ts.Fatalf("fill the disk: %v", err)
	}
}

// waitStanding is wait-standing DIR STANDING.
func waitStanding(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, "standing "+args[1], func() bool {
		s, err := agent.ReadStatus(ts.MkAbs(args[0]))
		ts.Check(err)
		return string(s.Standing) == args[1]
	})
}

// waitGone is wait-gone PATH: until nothing is there.
func waitGone(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, args[0]+" gone", func() bool {
		_, err := os.Stat(ts.MkAbs(args[0]))
		return errors.Is(err, os.ErrNotExist)
	})
}

func until(ts *testscript.TestScript, what string, done func() bool) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !done(); <-tick.C {
		if time.Now().After(deadline) {
			ts.Fatalf("still not: %s", what)
		}
	}
}

// exits is exits CODE PROGRAM ARGUMENT...
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("exits: %v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
