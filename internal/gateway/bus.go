package gateway

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// Accounts and users of the bus. Agents are users of busAccount too, without a password.
const (
	busAccount    = "ORDERLY"
	systemAccount = "SYS"
	busUser       = "orderly"
	systemUser    = "orderly-system"
)

// BusConfig is how the message bus is reached; the zero value of each field means the default named
// there.
type BusConfig struct {
	Listen string        // host:port of the embedded server; port 0 takes a free one
	URL    string        // of a NATS cluster to use in place of the embedded server
	TLS    *tls.Config   // of the embedded server; nil for plain text
	Keys   Keys          // the same on all servers of a database
	Ping   time.Duration // 60 s; how often the embedded server looks whether a connection lives
	Log    *slog.Logger  // slog.Default()
}

// Keys are what a message bus knows servers by.
type Keys struct {
	Issuer nkeys.KeyPair // account key that signs who may connect
	User   nkeys.KeyPair // user key of servers, with a cluster
	System nkeys.KeyPair // user key of servers in the system account, with a cluster
}

// Bus carries messages to agents.
type Bus struct {
	cfg      BusConfig
	password string
	srv      *server.Server // nil with a cluster

	mu     sync.RWMutex
	addr   net.Addr   // of the embedded server, once it listens
	out    *nats.Conn // hellos, and all that goes to agents: one order for an agent
	report *nats.Conn
	system *nats.Conn // sees connections end, and ends them
}

// NewBus makes a bus; it is started by Gateway.Run.
func NewBus(cfg BusConfig) (*Bus, error) {
	if cfg.Ping == 0 {
		cfg.Ping = time.Minute
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	b := &Bus{cfg: cfg, password: rand.Text()}
	if cfg.URL != "" {
		return b, nil
	}
	opts, err := b.options()
	if err != nil {
		return nil, err
	}
	if b.srv, err = server.NewServer(opts); err != nil {
		return nil, fmt.Errorf("message bus: %w", err)
	}
	b.srv.SetLogger(natsLog{cfg.Log}, false, false)
	return b, nil
}

// options are those of the embedded server.
func (b *Bus) options() (*server.Options, error) {
	host, port, err := net.SplitHostPort(b.cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("message bus address: %w", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("message bus port: %w", err)
	}
	if number == 0 {
		number = server.RANDOM_PORT
	}
	issuer, err := b.cfg.Keys.Issuer.PublicKey()
	if err != nil {
		return nil, err
	}
	bus, system := server.NewAccount(busAccount), server.NewAccount(systemAccount)
	o := &server.Options{
		Host: host, Port: number, NoSigs: true, NoHeaderSupport: false,
		DontListen: true, // see open
		MaxPayload: 1 << 20, MaxPending: 16 << 20, WriteDeadline: 10 * time.Second,
		PingInterval: b.cfg.Ping, MaxPingsOut: 1, MaxConn: 1 << 20,
		Accounts: []*server.Account{bus, system}, SystemAccount: systemAccount,
		Users: []*server.User{
			{Username: busUser, Password: b.password, Account: bus},
			{Username: systemUser, Password: b.password, Account: system},
		},
		AuthCallout:       &server.AuthCallout{Issuer: issuer, Account: busAccount, AuthUsers: []string{busUser, systemUser}},
		AlwaysEnableNonce: true, AuthTimeout: AuthTimeout.Seconds(),
	}
	if b.cfg.TLS != nil {
		o.TLS, o.TLSConfig, o.TLSTimeout = true, fewHandshakes(b.cfg.TLS), 30
	}
	return o, nil
}

// Anybody may begin a handshake and then stall, or fail before its end is told here. Such a client
// keeps its slot for handshakeHold, and keeps nobody waiting longer than handshakePatience: who has
// waited that long goes on without a slot.
const (
	handshakeHold     = 100 * time.Millisecond
	handshakePatience = time.Second
)

// fewHandshakes lets at most twice as many TLS handshakes run at once as there are processors: in a
// reconnect storm all of them going at once would have all of them time out.
func fewHandshakes(base *tls.Config) *tls.Config {
	slots := make(chan struct{}, 2*runtime.GOMAXPROCS(0))
	c := base.Clone()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		select {
		case slots <- struct{}{}:
		case <-time.After(handshakePatience):
			return base, nil
		}
		leave := sync.OnceFunc(func() { <-slots })
		give := time.AfterFunc(handshakeHold, leave)
		one := base.Clone()
		one.VerifyConnection = func(tls.ConnectionState) error {
			give.Stop()
			leave()
			return nil
		}
		return one, nil
	}
	return c
}

// start starts the embedded server and connects.
func (b *Bus) start() error {
	if b.srv != nil {
		go b.srv.Start() // returns when the server is up; its own goroutines end with stop
		if !b.srv.ReadyForConnections(10 * time.Second) {
			return errors.New("the message bus does not start")
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var err error
	if b.out, err = b.connect("orderly", busUser, b.cfg.Keys.User); err != nil {
		return err
	}
	if b.report, err = b.connect("orderly reports", busUser, b.cfg.Keys.User); err != nil {
		return err
	}
	b.system, err = b.connect("orderly system", systemUser, b.cfg.Keys.System)
	return err
}

// open lets agents connect to the embedded server. Before there is somebody to say who may, one that
// tried would wait for an answer until its time is up.
func (b *Bus) open() error {
	if b.srv == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.srv.AcceptLoop(make(chan struct{})) // returns when it listens; its own goroutines end with stop
	if b.addr = b.srv.Addr(); b.addr == nil {
		return errors.New("the message bus does not listen: is its address in use?")
	}
	return nil
}

// connect connects as a user of the embedded server, or by a key to a cluster.
func (b *Bus) connect(name, user string, key nkeys.KeyPair) (*nats.Conn, error) {
	o := []nats.Option{nats.Name(name), nats.MaxReconnects(-1), nats.ReconnectBufSize(8 << 20), nats.IgnoreAuthErrorAbort(),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			b.cfg.Log.Warn("message bus", "err", err)
		})}
	if b.srv != nil {
		o = append(o, nats.InProcessServer(b.srv), nats.UserInfo(user, b.password))
	} else {
		public, err := key.PublicKey()
		if err != nil {
			return nil, err
		}
		o = append(o, nats.Nkey(public, key.Sign))
	}
	nc, err := nats.Connect(b.cfg.URL, o...)
	if err != nil {
		return nil, fmt.Errorf("connect to the message bus: %w", err)
	}
	return nc, nil
}

// How the embedded server ends: those who have asked to be let in are answered first, for it waits
// for them. One whom nobody answered in time is waited for no longer than maxShutdown.
const (
	lastAnswers = 100 * time.Millisecond
	maxShutdown = 2 * time.Second
)

// stop ends the embedded server and closes the connections.
func (b *Bus) stop() {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.srv != nil {
		go b.srv.LameDuckShutdown() // nobody new is let in; it ends with Shutdown
		<-time.After(lastAnswers)
		ended := make(chan struct{})
		go func() { // ends when nobody can be waiting for an answer any more
			b.srv.Shutdown()
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(maxShutdown):
			b.cfg.Log.Warn("the message bus takes long to end")
		}
	}
	for _, nc := range []*nats.Conn{b.out, b.report, b.system} {
		if nc != nil {
			nc.Close()
		}
	}
}

// conn is the connection on which everything goes to agents, nil while there is none.
func (b *Bus) conn() *nats.Conn {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.out
}

// Port is the port that the embedded server listens on, "" with a cluster or before it listens.
func (b *Bus) Port() string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.addr == nil {
		return ""
	}
	_, port, _ := net.SplitHostPort(b.addr.String())
	return port
}

// natsLog passes what the embedded server has to say on: its errors, and its warnings as debug
// messages, for a refused connection is nothing to wake people for.
type natsLog struct{ log *slog.Logger }

func (l natsLog) Noticef(string, ...any) {}
func (l natsLog) Debugf(string, ...any)  {}
func (l natsLog) Tracef(string, ...any)  {}
func (l natsLog) Warnf(format string, v ...any) {
	l.log.Debug("message bus", "message", fmt.Sprintf(format, v...))
}
func (l natsLog) Fatalf(format string, v ...any) {
	l.log.Error("message bus", "message", fmt.Sprintf(format, v...))
}
func (l natsLog) Errorf(format string, v ...any) {
	message := fmt.Sprintf(format, v...)
	if strings.Contains(message, "authentication error") || strings.Contains(message, "TLS handshake error") {
		l.log.Debug("message bus", "message", message)
		return
	}
	l.log.Error("message bus", "message", message)
}
