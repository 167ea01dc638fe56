package stage

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly/internal/client"
	"github.com/orderly-run/orderly/internal/pgtest"
)

// Region is the one that servers here have.
const Region = "cn-hangzhou"

// A Database is what a server keeps its state in.
type Database string

// The databases that there are.
const (
	SQLite     Database = "SQLite" // also ""
	PostgreSQL Database = "PostgreSQL"
)

// Databases are all of them, for stories that are told on each.
var Databases = []Database{SQLite, PostgreSQL}

// Options are what a server can be like; the zero value is a server on SQLite in plain text.
type Options struct {
	Database Database
	TLS      bool     // with an authority of its own
	Scale    int      // all time constants of the server and its agents are divided by it; 0 is 1
	Args     []string // further arguments of orderly server
}

// A Server is a server process. What it is called by and with stays the same over all its lives.
type Server struct {
	*Process
	Endpoint string // http://127.0.0.1:port, or https
	NATS     string // host:port of the message bus
	Dir      string // its data directory
	DB       string // its database: path of a file, or URL
	Account  string
	KeyID    string
	Secret   string
	API      *client.Client // calls it with that key

	CAFile      string // with TLS: the certificate of its own authority
	Fingerprint string // and what tells machines that it is that one

	Windows bool // agents that are registered from now on are Windows programs, where NeedWindows has found that there can be some

	Engine string // socket of the container engine of agents that are registered from now on; "" for their own

	scale int
	http  *http.Client
}

// Open starts a server on an empty database and returns when it is ready.
func Open(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{Dir: filepath.Join(t.TempDir(), "server"), scale: max(1, o.Scale)}
	s.DB = filepath.Join(s.Dir, "orderly.db")
	if o.Database == PostgreSQL {
		s.DB = pgtest.DSN(t)
	}
	const attempts = 3 // somebody may take a port between its choice and its use
	for range attempts {
		s.open(t, o)
		if s.readyOrTaken() {
			break
		}
	}
	s.readKey()
	return s
}

// open starts the server on ports that were free a moment ago.
func (s *Server) open(t testing.TB, o Options) {
	t.Helper()
	listen := freePort(t)
	s.NATS, s.Endpoint = freePort(t), "http://"+listen
	args := append([]string{"server", "--data", s.Dir, "--listen", listen, "--nats-listen", s.NATS, "--db", s.DB,
		"--region", Region, "--time-scale", strconv.Itoa(s.scale)}, o.Args...)
	if o.TLS {
		s.Endpoint, s.CAFile = "https://"+listen, filepath.Join(s.Dir, "ca.pem")
		args = append(args, "--tls", "on")
	}
	s.Process = newProcess(t, "orderly", s.Dir+".log", args...)
	s.start()
}

// readyOrTaken waits until the server is ready; it reports false when it has ended because a port
// was taken.
func (s *Server) readyOrTaken() bool {
	s.t.Helper()
	taken := false
	Await(s.t, Patience, "the server is ready", func() error {
		if !s.Running() && bytes.Contains(s.Log(), []byte("address already in use")) {
			taken = true
			return nil
		}
		return s.ready()
	})
	return !taken
}

// Start starts the server again after its end, and returns when it is ready.
func (s *Server) Start() {
	s.t.Helper()
	s.start()
	Await(s.t, Patience, "the server is ready again", s.ready)
}

// ready asks the server whether it is ready.
func (s *Server) ready() error {
	if !s.Running() {
		s.t.Fatalf("the server has ended by itself, exit code %d", s.cmd.ProcessState.ExitCode())
	}
	_, err := s.Get("/readyz")
	return err
}

// Get returns what the server answers to a GET of a path.
func (s *Server) Get(path string) (string, error) {
	if err := s.trust(); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, resp.Status, bytes.TrimSpace(body))
	}
	return string(body), err
}

// trust makes a client, with TLS one that trusts the server's authority alone.
func (s *Server) trust() error {
	if s.http != nil {
		return nil
	}
	transport := &http.Transport{DisableKeepAlives: true}
	if s.CAFile != "" {
		pem, err := os.ReadFile(s.CAFile)
		if err != nil {
			return err
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	s.http = &http.Client{Transport: transport}
	return nil
}

var fingerprint = regexp.MustCompile(`(?m)^CA fingerprint +(\S+)$`)

// readKey reads what the server has made at its first start.
func (s *Server) readKey() {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Dir, "access-key.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	var key struct{ AccessKeyID, AccessKeySecret, Account string }
	if err := json.Unmarshal(text, &key); err != nil {
		s.t.Fatal(err)
	}
	s.KeyID, s.Secret, s.Account = key.AccessKeyID, key.AccessKeySecret, key.Account
	if m := fingerprint.FindSubmatch(s.Log()); m != nil {
		s.Fingerprint = string(m[1])
	}
	s.API, err = client.New(client.Config{Endpoint: s.Endpoint, KeyID: s.KeyID, Secret: s.Secret, Region: Region, CAFile: s.CAFile})
	if err != nil {
		s.t.Fatal(err)
	}
}

// Host is host:port of the endpoint.
func (s *Server) Host() string {
	_, host, _ := strings.Cut(s.Endpoint, "://")
	return host
}

// Run runs a script on machines and returns how it ended there, outputs included.
func (s *Server) Run(script string, on ...*Agent) *client.Invocation {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*Patience)
	defer cancel()
	q := client.RunCommandRequest{CommandContent: script}
	for _, a := range on {
		q.InstanceId = append(q.InstanceId, a.ID)
	}
	run, err := s.API.RunCommand(ctx, q)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.API.WaitInvocation(ctx, run.InvokeId, nil); err != nil {
		s.t.Fatal(err)
	}
	answer, err := s.API.DescribeInvocations(ctx, client.DescribeInvocationsRequest{InvokeId: run.InvokeId, IncludeOutput: true})
	if err != nil {
		s.t.Fatal(err)
	}
	return &answer.Invocations.Invocation[0]
}

// Metric is the sum of a metric's values over all its labels.
func (s *Server) Metric(name string) float64 {
	s.t.Helper()
	text, err := s.Get("/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	sum := 0.0
	for line := range strings.Lines(text) {
		label, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if label, _, _ = strings.Cut(label, "{"); label != name {
			continue
		}
		v, err := strconv.ParseFloat(value[strings.LastIndexByte(value, ' ')+1:], 64)
		if err != nil {
			s.t.Fatalf("metric %s: %v", name, err)
		}
		sum += v
	}
	return sum
}

// Scaled is a time constant as this server and its agents have it.
func (s *Server) Scaled(d time.Duration) time.Duration { return d / time.Duration(s.scale) }
