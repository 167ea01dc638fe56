package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// roles are what this program does as a process beside the one that measures.
var roles = map[string]func(context.Context, []string) error{
	"echo":   echoServer,
	"server": profiledServer,
}

const echoSize = 64 // bytes of question and answer

// An echo is the bus alone: one connection in the bus's process that asks, and n in another that
// answer. What the bus needs for the same number of connections stands beside what we need.
type echo struct {
	n               int
	tls             bool
	server, clients *process
	connected       time.Duration // how long the clients took to connect
	empty           float64       // memory of the bus before them
}

// startEcho starts a bus and its clients, as many as n; more are arguments of theirs.
func (b *bench) startEcho(ctx context.Context, n int, mode string, more ...string) (e *echo, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "echo-")
	if err != nil {
		return nil, err
	}
	e = &echo{n: n, tls: mode == "on"}
	defer func() {
		if err != nil {
			e.stop()
			err = fmt.Errorf("raw echo: %w", err)
		}
	}()
	ca, count := filepath.Join(dir, "ca.pem"), strconv.Itoa(n)
	if e.server, err = start(ctx, command{path: self, args: []string{"echo", "-n", count, "-ca", ca, "-tls", mode}}); err != nil {
		return nil, err
	}
	url, err := e.server.line(10 * time.Second)
	if err != nil {
		return nil, err
	}
	if e.empty, err = memory(ctx, e.server, 2*time.Second); err != nil {
		return nil, err
	}
	begin := time.Now()
	if e.clients, err = start(ctx, command{path: b.bareClient, args: append([]string{"-n", count, "-url", url, "-ca", ca}, more...)}); err != nil {
		return nil, err
	}
	_, err = e.clients.line(5 * time.Minute)
	e.connected = time.Since(begin)
	return e, err
}

// ask asks every client once and returns how long it took until the last answer.
func (e *echo) ask() (time.Duration, error) {
	if err := e.server.say("go"); err != nil {
		return 0, err
	}
	text, err := e.server.line(time.Minute)
	if err != nil {
		return 0, fmt.Errorf("raw echo: %w", err)
	}
	return time.ParseDuration(text)
}

// rate is how many clients answer in a second, the median of several times.
func (e *echo) rate(ctx context.Context, times int) (float64, error) {
	var rates []float64
	for range times {
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return 0, err
		}
		took, err := e.ask()
		if err != nil {
			return 0, err
		}
		rates = append(rates, float64(e.n)/took.Seconds())
	}
	return median(rates), nil
}

// suffix tells figures with TLS from those without.
func (e *echo) suffix() string {
	if e.tls {
		return ", TLS"
	}
	return ""
}

func (e *echo) stop() {
	for _, p := range []*process{e.clients, e.server} {
		if p != nil {
			p.stop()
		}
	}
}

// echoServer is a bare bus and the one that asks. For each line of its input it asks every client
// once and prints how long that took.
func echoServer(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("echo", flag.ContinueOnError)
	n, ca, mode := f.Int("n", 1, ""), f.String("ca", "", ""), f.String("tls", "off", "")
	if err := f.Parse(args); err != nil {
		return err
	}
	srv, url, err := bareBus(*mode, *ca)
	if err != nil {
		return err
	}
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		return err
	}
	answers := make(chan *nats.Msg, *n)
	if _, err := nc.ChanSubscribe("answer", answers); err != nil {
		return err
	}
	fmt.Println(url)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		took, err := askAll(ctx, nc, answers, *n)
		if err != nil {
			return err
		}
		fmt.Println(took)
	}
	return nil
}

// bareBus starts a bus without any code of ours and returns its URL; it ends with the process.
func bareBus(mode, ca string) (*server.Server, string, error) {
	o := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, MaxPending: 16 << 20}
	scheme := "nats://"
	if mode == "on" {
		cert, err := certificate(ca)
		if err != nil {
			return nil, "", err
		}
		o.TLS, o.TLSTimeout, scheme = true, 30, "tls://"
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
	}
	srv, err := server.NewServer(o)
	if err != nil {
		return nil, "", err
	}
	go srv.Start() // ends with the process
	if !srv.ReadyForConnections(10 * time.Second) {
		return nil, "", errors.New("the bus does not start")
	}
	return srv, scheme + srv.Addr().String(), nil
}

func askAll(ctx context.Context, nc *nats.Conn, answers <-chan *nats.Msg, n int) (time.Duration, error) {
	body := make([]byte, echoSize)
	begin := time.Now()
	for i := range n {
		if err := nc.Publish("ask."+strconv.Itoa(i), body); err != nil {
			return 0, err
		}
	}
	if err := nc.Flush(); err != nil {
		return 0, err
	}
	late := time.After(time.Minute)
	for range n {
		select {
		case <-answers:
		case <-late:
			return 0, errors.New("answers are missing")
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return time.Since(begin), nil
}

// certificate makes a certificate for this machine, and the file by which clients trust it.
func certificate(ca string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "echo"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, os.WriteFile(ca, text, 0o600)
}
