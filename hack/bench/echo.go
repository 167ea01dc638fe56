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
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"
)

// roles are what this program does as a process beside the one that measures.
var roles = map[string]func(context.Context, []string) error{
	"echo-server":  echoServer,
	"echo-clients": echoClients,
	"server":       profiledServer,
}

const echoSize = 64 // bytes of request and reply

// An echo is the bus alone: one connection in the bus's process that asks, and many in another that
// answer.
type echo struct{ server, clients *process }

func (b *bench) startEcho(ctx context.Context, mode string) (e *echo, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "echo-")
	if err != nil {
		return nil, err
	}
	n := strconv.Itoa(b.Agents)
	e = &echo{}
	defer func() {
		if err != nil {
			e.stop()
		}
	}()
	if e.server, err = start(ctx, command{path: self, args: []string{"echo-server", "-n", n, "-dir", dir, "-tls", mode}}); err != nil {
		return nil, err
	}
	url, err := e.server.line(10 * time.Second)
	if err != nil {
		return nil, err
	}
	if e.clients, err = start(ctx, command{path: self, args: []string{"echo-clients", "-n", n, "-dir", dir, "-url", url}}); err != nil {
		return nil, err
	}
	_, err = e.clients.line(5 * time.Minute)
	return e, err
}

// rate asks every connection once; it is how many answered in a second.
func (e *echo) rate() (float64, error) {
	if err := e.server.say("go"); err != nil {
		return 0, err
	}
	text, err := e.server.line(time.Minute)
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(text, 64)
}

func (e *echo) stop() {
	for _, p := range []*process{e.clients, e.server} {
		if p != nil {
			p.stop()
		}
	}
}

// echoServer is a bare bus and the one that asks. For each line of its input it asks every client
// once and prints the answers in a second.
func echoServer(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("echo-server", flag.ContinueOnError)
	n, dir, mode := f.Int("n", 1, ""), f.String("dir", "", ""), f.String("tls", "off", "")
	if err := f.Parse(args); err != nil {
		return err
	}
	o := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, MaxPending: 16 << 20}
	scheme := "nats://"
	if *mode == "on" {
		cert, err := certificate(filepath.Join(*dir, "ca.pem"))
		if err != nil {
			return err
		}
		o.TLS, o.TLSTimeout, scheme = true, 30, "tls://"
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
	}
	srv, err := server.NewServer(o)
	if err != nil {
		return err
	}
	go srv.Start() // ends with the process
	if !srv.ReadyForConnections(10 * time.Second) {
		return errors.New("the bus does not start")
	}
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		return err
	}
	answers := make(chan *nats.Msg, *n)
	if _, err := nc.ChanSubscribe("answer", answers); err != nil {
		return err
	}
	fmt.Println(scheme + srv.Addr().String())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		rate, err := askAll(ctx, nc, answers, *n)
		if err != nil {
			return err
		}
		fmt.Println(rate)
	}
	return nil
}

func askAll(ctx context.Context, nc *nats.Conn, answers <-chan *nats.Msg, n int) (float64, error) {
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
	return float64(n) / time.Since(begin).Seconds(), nil
}

// echoClients are n connections that answer.
func echoClients(quit context.Context, args []string) error {
	f := flag.NewFlagSet("echo-clients", flag.ContinueOnError)
	n, dir, url := f.Int("n", 1, ""), f.String("dir", "", ""), f.String("url", "", "")
	if err := f.Parse(args); err != nil {
		return err
	}
	opts := []nats.Option{nats.Timeout(30 * time.Second)}
	if strings.HasPrefix(*url, "tls://") {
		opts = append(opts, nats.RootCAs(filepath.Join(*dir, "ca.pem")))
	}
	var g errgroup.Group
	g.SetLimit(16)
	for i := range *n {
		g.Go(func() error {
			nc, err := nats.Connect(*url, opts...)
			if err != nil {
				return err
			}
			if _, err := nc.Subscribe("ask."+strconv.Itoa(i), func(*nats.Msg) { _ = nc.Publish("answer", make([]byte, echoSize)) }); err != nil {
				return err
			}
			return nc.Flush()
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	fmt.Println("ready")
	<-quit.Done()
	return nil
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
