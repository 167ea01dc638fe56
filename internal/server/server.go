// Package server names every part of a server once and runs them.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nkeys"
	"golang.org/x/sync/errgroup"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/console"
	"github.com/orderly-run/orderly/internal/ecs"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/fleet"
	"github.com/orderly-run/orderly/internal/gateway"
	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
	"github.com/orderly-run/orderly/internal/swas"
)

// Config is how a server runs; the zero value of each field means the default named there.
type Config struct {
	Data       string   // directory of the server's files; required
	Listen     string   // 127.0.0.1:8321; host:port of the API and of registration
	NATSListen string   // Listen's host, port 4222; host:port of the message bus
	DB         string   // Data/orderly.db; path of an SQLite file or postgres://…
	NATS       string   // URL of a NATS cluster to use in place of the embedded server
	Regions    []string // cn-hangzhou
	SecretFile string   // Data/secret; 32 bytes that seal keys in the database, made when it is missing

	TLS     string   // auto: on, but for the API on loopback; on; off: refused elsewhere than on loopback
	TLSCert string   // PEM files of a certificate of your own; an own CA signs one otherwise
	TLSKey  string   //
	Hosts   []string // further names and addresses that the server is reached by, for the own CA's certificate

	AdvertiseNATS string   // host:port or URL of the bus that agents are told, several with commas between; the host they registered with; required with NATS
	Advertise     []string // URLs of the API that agents are told; that with which they registered

	HTTP          HTTPLimits
	MetricsListen string // host:port of metrics, in plain text; with the API where that is on loopback, else nowhere

	AccessKeyID     string // key of the first account, in place of one that is made
	AccessKeySecret string

	// What an account may have; the first two are of one request, the others of a region.
	MaxTargets         int // 100; machines that an invocation is for
	MaxAll             int // 100 000; the same when it is for orderly:all
	MaxCommands        int // 500; commands that are kept
	MaxInvocations     int // no limit; invocations on one day, UTC
	MaxActivations     int // 10; activation codes that machines can still register with
	MaxActivationUses  int // 1000; machines that one of them can be made for
	MaxActivationHours int // 4; for how long

	Retain        time.Duration // 4 weeks; how long an invocation is kept after it has ended
	RetainRecords int           // 100 000; invocations of an account in a region beyond which those that ended first go

	RetainFiles       time.Duration // 1 day; Retain for files that were sent
	RetainFileRecords int           // 1000; RetainRecords for them

	ConsoleIdle time.Duration // 1 h; after which a session of the console that is not used ends

	LateResults time.Duration // 15 min; how long results of absent agents are waited for
	Scale       int           // 1; time constants are divided by it, for tests
	Log         *slog.Logger  // slog.Default()
}

// Server is a server and its parts.
type Server struct {
	cfg      Config
	db       *store.DB
	engine   *engine.Engine
	fleet    *fleet.Fleet
	gateway  *gateway.Gateway
	rpc      http.Handler
	console  *console.Console
	metrics  *metrics
	listener net.Listener

	metricsListener net.Listener // nil unless metrics have an address of their own
	tls             *tls.Config  // of the API; nil for plain text
	busTLS          *tls.Config  // of the bus; nil for plain text
	ca              *gateway.CA  // nil with a certificate of one's own, or plain text
	first           First
}

// First is what a server makes when it starts on an empty database.
type First struct {
	Account string
	Key     store.AccessKey // zero when the database had one
	KeyFile string
}

// New makes a server: its database is opened and brought up to date, its address taken. Nothing is
// answered before Run. Close it when Run is never called.
func New(ctx context.Context, cfg Config) (*Server, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg}
	if err := s.open(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// open makes all parts. The first account comes last: a server that cannot start must not make one,
// since nobody would be shown its key.
func (s *Server) open(ctx context.Context) error {
	if err := os.MkdirAll(s.cfg.Data, 0o700); err != nil {
		return err
	}
	secret, err := readSecret(s.cfg.SecretFile)
	if err != nil {
		return err
	}
	s.metrics = newMetrics()
	if s.db, err = store.Open(ctx, s.cfg.DB, store.Options{Secret: secret, Observe: s.metrics.change}); err != nil {
		return err
	}
	s.metrics.count(s.db)
	if err := s.openTLS(ctx); err != nil {
		return err
	}
	if err := s.assemble(ctx); err != nil {
		return err
	}
	if s.listener, err = net.Listen("tcp", s.cfg.Listen); err != nil {
		return err
	}
	if s.cfg.MetricsListen != "" {
		if s.metricsListener, err = net.Listen("tcp", s.cfg.MetricsListen); err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
	}
	s.first, err = s.firstAccount(ctx)
	return err
}

func (c *Config) complete() error {
	if c.Data == "" {
		return errors.New("a data directory is required")
	}
	c.Listen = or(c.Listen, "127.0.0.1:8321")
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("listen address: %w", err)
	}
	if c.NATS != "" && c.AdvertiseNATS == "" {
		return errors.New("with a NATS cluster, say where agents find it (advertise-nats)")
	}
	c.NATSListen = or(c.NATSListen, net.JoinHostPort(host, "4222"))
	c.DB = or(c.DB, filepath.Join(c.Data, "orderly.db"))
	c.SecretFile = or(c.SecretFile, filepath.Join(c.Data, "secret"))
	c.TLS = or(c.TLS, "auto")
	if len(c.Regions) == 0 {
		c.Regions = []string{"cn-hangzhou"}
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Scale = max(1, c.Scale)
	c.HTTP = c.HTTP.withDefaults()
	return checkAdvertised(c.Advertise)
}

// checkAdvertised refuses what agents would not use.
func checkAdvertised(list []string) error {
	for _, text := range list {
		u, err := url.Parse(text)
		if err != nil || u.Hostname() == "" || u.Scheme != "https" && (u.Scheme != "http" || !onLoopback(u.Host)) {
			return fmt.Errorf("%q is no URL of the API that machines could be told: want https://host:port", text)
		}
	}
	return nil
}

func or(v, d string) string {
	if v == "" {
		return d
	}
	return v
}

// assemble makes the parts and joins them.
func (s *Server) assemble(ctx context.Context) error {
	busKeys, err := sharedKeys(ctx, s.db)
	if err != nil {
		return err
	}
	tokens, err := s.db.Secret(ctx, "next tokens", random32)
	if err != nil {
		return err
	}
	if s.cfg.NATS != "" {
		s.cfg.Log.Info("using a NATS cluster that must know these keys", "issuer", public(busKeys.Issuer), "user", public(busKeys.User), "system", public(busKeys.System))
	}
	bus, err := gateway.NewBus(gateway.BusConfig{
		Listen: s.cfg.NATSListen, URL: s.cfg.NATS, TLS: s.busTLS, Keys: busKeys,
		Ping: time.Minute / time.Duration(s.cfg.Scale), Log: s.cfg.Log,
	})
	if err != nil {
		return err
	}
	limits := orderly.DefaultLimits
	if s.cfg.LateResults > 0 {
		limits.LateResults = s.cfg.LateResults
	}
	limits = limits.Scale(s.cfg.Scale)
	scale := time.Duration(s.cfg.Scale)
	s.engine = engine.New(s.db, bus, engine.Config{
		Limits: limits, Regions: s.cfg.Regions, MaxTargets: s.cfg.MaxTargets, MaxAll: s.cfg.MaxAll,
		CommandQuota: s.cfg.MaxCommands, DailyQuota: s.cfg.MaxInvocations, Delivery: time.Minute / scale,
		Sweep: max(10*time.Millisecond, 250*time.Millisecond/scale), Log: s.cfg.Log, Observe: s.metrics.observer(),
		Retain: s.cfg.Retain / scale, Records: s.cfg.RetainRecords,
		RetainFiles: s.cfg.RetainFiles / scale, FileRecords: s.cfg.RetainFileRecords,
	})
	s.fleet = fleet.New(s.db, s.engine, fleet.Config{
		Activation: orderly.ActivationLimits{Hours: s.cfg.MaxActivationHours, Instances: s.cfg.MaxActivationUses}, MaxCodes: s.cfg.MaxActivations,
		Fresh: limits.Fresh, Census: 5 * time.Minute / scale, Log: s.cfg.Log, Gone: func(id string) { s.gateway.Cut(id) },
	})
	g := gateway.Config{
		Heartbeat: time.Minute / scale, Presence: 5 * time.Second / scale, Probe: 2 * time.Second / scale, Window: 10 * time.Second / scale,
		Advertise: s.cfg.AdvertiseNATS, Servers: s.cfg.Advertise, Log: s.cfg.Log,
	}
	if s.ca != nil && s.cfg.NATS == "" {
		g.CA = s.ca.PEM()
	}
	s.gateway = gateway.New(bus, s.db, s.engine, s.fleet, g)
	s.rpc = rpc.New(rpc.Config{APIs: s.dialects(tokens), Keys: keys{s.db}, Host: s.cfg.Listen, Log: s.cfg.Log, Observe: s.metrics.request, MaxBody: int64(s.cfg.HTTP.Body)})
	s.console = console.New(console.Config{
		Engine: s.engine, Fleet: s.fleet, Store: s.db, NewKey: NewKey, Fingerprint: s.Fingerprint(), Idle: s.cfg.ConsoleIdle, Log: s.cfg.Log,
	})
	return nil
}

// dialects are the APIs that share an address: clients tell them apart by version.
func (s *Server) dialects(tokens []byte) []rpc.API {
	endpoint := func(string) string { return s.address() }
	return []rpc.API{
		ecs.New(ecs.Config{Engine: s.engine, Fleet: s.fleet, TokenKey: tokens, Endpoint: endpoint}).API(),
		swas.New(swas.Config{Engine: s.engine, Fleet: s.fleet, TokenKey: tokens, Endpoint: endpoint}).API(),
	}
}

// sharedKeys are what the message bus knows the servers of a database by.
func sharedKeys(ctx context.Context, db *store.DB) (k gateway.Keys, err error) {
	for _, of := range []struct {
		name string
		key  *nkeys.KeyPair
		make func() (nkeys.KeyPair, error)
	}{{"bus issuer", &k.Issuer, nkeys.CreateAccount}, {"bus user", &k.User, nkeys.CreateUser}, {"bus system user", &k.System, nkeys.CreateUser}} {
		seed, err := db.Secret(ctx, of.name, func() ([]byte, error) {
			kp, err := of.make()
			if err != nil {
				return nil, err
			}
			return kp.Seed()
		})
		if err != nil {
			return k, err
		}
		if *of.key, err = nkeys.FromSeed(seed); err != nil {
			return k, err
		}
	}
	return k, nil
}

func public(k nkeys.KeyPair) string {
	key, err := k.PublicKey()
	if err != nil {
		return err.Error()
	}
	return key
}

// Run serves until ctx ends; it returns when all parts have ended. It closes the server.
func (s *Server) Run(ctx context.Context) error {
	defer s.Close()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.db.Run(ctx) })
	g.Go(func() error { return s.gateway.Run(ctx) })
	g.Go(func() error { return s.engine.Run(ctx) })
	g.Go(func() error { return s.fleet.Run(ctx) })
	g.Go(func() error { return s.serve(ctx) })
	g.Go(func() error { return s.serveMetrics(ctx) })
	return g.Wait()
}

// Close lets go of the database and the address.
func (s *Server) Close() {
	for _, l := range []net.Listener{s.listener, s.metricsListener} {
		if l != nil {
			l.Close()
		}
	}
	if s.db != nil {
		_ = s.db.Close() // what was written is committed
	}
}

// First is what was made at this start.
func (s *Server) First() First { return s.first }

// Endpoint is the URL of the API.
func (s *Server) Endpoint() string {
	scheme := "http://"
	if s.tls != nil {
		scheme = "https://"
	}
	return scheme + s.listener.Addr().String()
}

// Console is the URL of the web console.
func (s *Server) Console() string { return s.Endpoint() + console.Root }

// address is the host and port of the API as others reach it: with this machine's name where the
// server listens on all of its addresses.
func (s *Server) address() string {
	addr := s.listener.Addr().String()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsUnspecified() {
		return addr
	}
	name, err := os.Hostname()
	if err != nil {
		return addr
	}
	return net.JoinHostPort(name, port)
}

// Metrics is the URL of the metrics, "" where there are none.
func (s *Server) Metrics() string {
	switch {
	case s.metricsListener != nil:
		return "http://" + s.metricsListener.Addr().String() + "/metrics"
	case onLoopback(s.cfg.Listen):
		return s.Endpoint() + "/metrics"
	}
	return ""
}

// Fingerprint is that of the own CA, "" when the API has no use for one.
func (s *Server) Fingerprint() string {
	if s.ca == nil || s.tls == nil {
		return ""
	}
	return s.ca.Fingerprint()
}

// CA is the own CA's certificate in PEM, "" when the API has no use for one.
func (s *Server) CA() string {
	if s.ca == nil || s.tls == nil {
		return ""
	}
	return s.ca.PEM()
}

// Ready is closed when agents can be served.
func (s *Server) Ready() <-chan struct{} { return s.gateway.Ready() }

// Activate makes an activation code for count machines in the first region, for whoever starts the
// server: it is what CreateActivation does.
func (s *Server) Activate(ctx context.Context, count int) (id, code string, err error) {
	return s.fleet.CreateActivation(ctx, orderly.Caller{Account: s.first.Account},
		orderly.Activation{Region: s.cfg.Regions[0], Count: count, Description: "made by orderly server"}, engine.Repetition{Operation: "CreateActivation"})
}
