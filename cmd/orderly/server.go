package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/orderly-run/orderly/internal/cli"
	"github.com/orderly-run/orderly/internal/server"
)

// A service is how orderly server is called.
type service struct {
	cfg       server.Config
	config    string // file of settings
	logFormat string
	logLevel  string
}

func serverCommand() *cobra.Command {
	var s service
	c := &cobra.Command{
		Use:   "server",
		Short: "Run a server",
		Long: `Server runs a server until it gets SIGTERM or SIGINT; a second one ends it at once.

The first start makes an account with one access key, prints it this once, and keeps it in access-key.json in
its directory. ORDERLY_ACCESS_KEY_ID and ORDERLY_ACCESS_KEY_SECRET set the key instead.

Plain text is for loopback only. Elsewhere the server makes an authority of its own, whose certificate is
ca.pem in its directory, unless --tls-cert and --tls-key give a certificate.

Each setting is given by a flag, else by a variable (--nats-listen by ORDERLY_NATS_LISTEN; lists with
commas), else by a line in the file that --config or ORDERLY_CONFIG names:

  # a comment
  nats-listen = 0.0.0.0:4222
  region = cn-hangzhou,eu-central-1

For tests, --time-scale N divides all time constants by N.`,
		Example: `  orderly server
  orderly server --data /var/lib/orderly --listen 0.0.0.0:8443 --nats-listen 0.0.0.0:4222
  orderly server --db postgres://orderly@db/orderly --nats tls://nats:4222 --advertise-nats tls://nats:4222 --secret-file /etc/orderly/secret`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := s.complete(c.Flags()); err != nil {
				return err
			}
			return failed(s.run(c.Context(), c.OutOrStdout()))
		},
	}
	s.flags(c.Flags())
	return c
}

func (s *service) flags(f *pflag.FlagSet) {
	f.StringVar(&s.config, "config", "", "`file` of settings")
	f.StringVar(&s.cfg.Data, "data", dataDir(), "`directory` of the server's files")
	f.StringVar(&s.cfg.Listen, "listen", "127.0.0.1:8321", "`address` of the API and of registration")
	f.StringVar(&s.cfg.NATSListen, "nats-listen", "", "`address` of the message bus (default: the host of --listen, port 4222)")
	f.StringVar(&s.cfg.DB, "db", "", "`URL` of a PostgreSQL database, or path of an SQLite file (default: orderly.db in the directory)")
	f.StringVar(&s.cfg.NATS, "nats", "", "`URL` of a NATS cluster to use (default: a NATS server inside)")
	f.StringSliceVar(&s.cfg.Regions, "region", []string{"cn-hangzhou"}, "`ID` of a region to serve; may be repeated")
	f.StringVar(&s.cfg.SecretFile, "secret-file", "", "`file` of 32 bytes that seals keys in the database (default: secret in the directory)")
	f.StringVar(&s.cfg.TLS, "tls", "auto", "auto (on, but for the API on loopback), on or off (on loopback only)")
	f.StringVar(&s.cfg.TLSCert, "tls-cert", "", "PEM `file` of a certificate with its chain")
	f.StringVar(&s.cfg.TLSKey, "tls-key", "", "PEM `file` of its key")
	f.StringSliceVar(&s.cfg.Hosts, "host", nil, "further `name` or address of this server, for its own authority's certificate; may be repeated")
	f.StringVar(&s.cfg.AdvertiseNATS, "advertise-nats", "", "`address` or URL of the bus that machines are told, several with commas between (default: the host they registered at; needed with --nats)")
	f.StringSliceVar(&s.cfg.Advertise, "advertise", nil, "`URL` of this API that machines are told (default: that with which they registered); may be repeated")
	f.StringVar(&s.cfg.MetricsListen, "metrics-listen", "", "`address` of /metrics, in plain text (default: with the API where that is on loopback, else nowhere)")
	s.strangers(f)
	s.limits(f)
	f.DurationVar(&s.cfg.Retain, "retain", 4*7*24*time.Hour, "`time` for which an invocation is kept after it has ended")
	f.IntVar(&s.cfg.RetainRecords, "retain-records", 100_000, "`number` of invocations of an account in a region that are kept; beyond it those that ended first go")
	f.DurationVar(&s.cfg.RetainFiles, "retain-files", 24*time.Hour, "`time` for which a file that was sent is told of after its end")
	f.IntVar(&s.cfg.RetainFileRecords, "retain-file-records", 1000, "`number` of sent files of an account in a region that are told of; beyond it those that ended first go")
	f.DurationVar(&s.cfg.ConsoleIdle, "console-idle", time.Hour, "`time` after which a session of the console that is not used ends")
	f.DurationVar(&s.cfg.LateResults, "late-results", 15*time.Minute, "`time` for which the result of an absent machine is waited for")
	f.StringVar(&s.logFormat, "log-format", "text", "text or json, on standard error")
	f.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
	f.IntVar(&s.cfg.Scale, "time-scale", 1, "divide all time constants by this, for tests")
	if err := f.MarkHidden("time-scale"); err != nil {
		panic(err)
	}
}

// strangers are the flags for what callers may take before it is known who they are: see docs/limits.md.
func (s *service) strangers(f *pflag.FlagSet) {
	h := &s.cfg.HTTP
	f.IntVar(&h.Connections, "max-connections", 8192, "`number` of connections to the API that may be open")
	f.IntVar(&h.ConnectionsOf, "max-connections-per-address", 1024, "`number` of them from one address")
	f.DurationVar(&h.HeaderTimeout, "header-timeout", 10*time.Second, "`time` for the head of a request to arrive")
	f.DurationVar(&h.RequestTimeout, "request-timeout", time.Minute, "`time` for a whole request to arrive, and for its answer to be taken")
	f.DurationVar(&h.IdleTimeout, "idle-timeout", 2*time.Minute, "`time` for which a connection is kept open between requests")
	f.IntVar(&h.Header, "max-header-bytes", 256<<10, "`number` of bytes that the head of a request may have")
	f.IntVar(&h.Body, "max-body-bytes", 2<<20, "`number` of bytes that its body may have")
	f.IntVar(&h.Bodies, "max-bodies-bytes", 128<<20, "`number` of bytes that all bodies under way may have")
	f.IntVar(&h.BodiesOf, "max-bodies-bytes-per-address", 32<<20, "`number` of bytes of them from one address")
}

// limits are the flags for what an account may have: see docs/limits.md.
func (s *service) limits(f *pflag.FlagSet) {
	f.IntVar(&s.cfg.MaxTargets, "max-targets", 100, "`number` of machines that one request may name or select")
	f.IntVar(&s.cfg.MaxAll, "max-all", 100_000, "`number` of machines that the tag orderly:all may select")
	f.IntVar(&s.cfg.MaxCommands, "max-commands", 500, "`number` of commands that an account keeps in a region")
	f.IntVar(&s.cfg.MaxInvocations, "max-invocations", 0, "`number` of invocations that an account makes in a region on one day, UTC; 0 for no limit")
	f.IntVar(&s.cfg.MaxActivations, "max-activations", 10, "`number` of activation codes of an account in a region that machines can still use")
	f.IntVar(&s.cfg.MaxActivationUses, "max-activation-uses", 1000, "`number` of machines that one activation code can be made for")
	f.IntVar(&s.cfg.MaxActivationHours, "max-activation-hours", 4, "`number` of hours that an activation code can be made for")
}

// checkLimits refuses limits that let nobody do anything.
func (s *service) checkLimits() error {
	for flag, n := range map[string]int{
		"max-targets": s.cfg.MaxTargets, "max-all": s.cfg.MaxAll, "max-commands": s.cfg.MaxCommands, "max-activations": s.cfg.MaxActivations,
		"retain-records": s.cfg.RetainRecords, "retain-file-records": s.cfg.RetainFileRecords, "max-activation-uses": s.cfg.MaxActivationUses, "max-activation-hours": s.cfg.MaxActivationHours,
		"max-invocations": s.cfg.MaxInvocations + 1,
		"max-connections": s.cfg.HTTP.Connections, "max-connections-per-address": s.cfg.HTTP.ConnectionsOf,
		"header-timeout": int(s.cfg.HTTP.HeaderTimeout), "request-timeout": int(s.cfg.HTTP.RequestTimeout), "idle-timeout": int(s.cfg.HTTP.IdleTimeout),
		"max-header-bytes": s.cfg.HTTP.Header, "max-body-bytes": s.cfg.HTTP.Body,
		"max-bodies-bytes": s.cfg.HTTP.Bodies, "max-bodies-bytes-per-address": s.cfg.HTTP.BodiesOf,
	} {
		if n < 1 {
			return fmt.Errorf("--%s is too small", flag)
		}
	}
	return nil
}

// complete reads what no flag gave, and checks what is not the server's to check.
func (s *service) complete(f *pflag.FlagSet) error {
	var names []string
	f.VisitAll(func(fl *pflag.Flag) {
		if fl.Name != "config" && fl.Name != "help" {
			names = append(names, fl.Name)
		}
	})
	if err := fill(f, nil, "config"); err != nil {
		return err
	}
	var file map[string]string
	if s.config != "" {
		var err error
		if file, err = readSettings(s.config, names); err != nil {
			return err
		}
	}
	if err := fill(f, file, names...); err != nil {
		return err
	}
	s.cfg.AccessKeyID, s.cfg.AccessKeySecret = os.Getenv("ORDERLY_ACCESS_KEY_ID"), os.Getenv("ORDERLY_ACCESS_KEY_SECRET")
	if (s.cfg.AccessKeyID == "") != (s.cfg.AccessKeySecret == "") {
		return errors.New("set both ORDERLY_ACCESS_KEY_ID and ORDERLY_ACCESS_KEY_SECRET, or neither")
	}
	if s.cfg.LateResults < 0 || s.cfg.Scale < 1 {
		return errors.New("--time-scale must be at least 1, and --late-results cannot be less than 0")
	}
	if s.cfg.ConsoleIdle < time.Minute {
		return errors.New("--console-idle must be at least a minute")
	}
	if s.cfg.Retain <= 0 || s.cfg.RetainFiles <= 0 {
		return errors.New("--retain and --retain-files must be more than 0")
	}
	if err := s.checkLimits(); err != nil {
		return err
	}
	var err error
	if s.cfg.Data, err = filepath.Abs(s.cfg.Data); err != nil { // it is told to others
		return err
	}
	return s.openLog()
}

func (s *service) openLog() error {
	var o slog.HandlerOptions
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.logLevel)); err != nil {
		return fmt.Errorf("log level: %w", err)
	}
	o.Level = level
	switch s.logFormat {
	case "text":
		s.cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, &o))
	case "json":
		s.cfg.Log = slog.New(slog.NewJSONHandler(os.Stderr, &o))
	default:
		return fmt.Errorf("log format is text or json, not %q", s.logFormat)
	}
	return nil
}

func (s *service) run(ctx context.Context, out io.Writer) error {
	srv, err := server.New(ctx, s.cfg)
	if err != nil {
		return err
	}
	here, err := s.announce(ctx, srv, out)
	if err != nil {
		srv.Close()
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return srv.Run(ctx) })
	g.Go(func() error {
		select {
		case <-srv.Ready():
			s.cfg.Log.Info("ready", "endpoint", srv.Endpoint())
			return writeFile(filepath.Join(s.cfg.Data, whereaboutsFile), here)
		case <-ctx.Done():
			return nil
		}
	})
	return g.Wait()
}

// announce prints what people need to know of a server that starts, and returns what programs on
// this machine need to know.
func (s *service) announce(ctx context.Context, srv *server.Server, out io.Writer) ([]byte, error) {
	here := whereabouts{Endpoint: reachable(srv.Endpoint(), "localhost"), Region: s.cfg.Regions[0]}
	if pem := srv.CA(); pem != "" {
		here.CAFile = filepath.Join(s.cfg.Data, "ca.pem")
		if err := writeFile(here.CAFile, []byte(pem)); err != nil {
			return nil, err
		}
	}
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	var text strings.Builder
	endpoint := reachable(srv.Endpoint(), name)
	first := srv.First()
	if first.Key.ID != "" {
		fmt.Fprintf(&text, "Account            %s\nAccess key ID      %s\nAccess key secret  %s\nKept in            %s\n", first.Account, first.Key.ID, first.Key.Secret, first.KeyFile)
	}
	fmt.Fprintf(&text, "Endpoint           %s\nConsole            %s\n", endpoint, reachable(srv.Console(), name))
	if here.CAFile != "" {
		fmt.Fprintf(&text, "CA fingerprint     %s\nCA certificate     %s\n", srv.Fingerprint(), here.CAFile)
	}
	if first.Key.ID != "" {
		id, code, err := srv.Activate(ctx, 0)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&text, "\nOn up to %d machines, within %d hours (orderly activate makes further codes):\n\n  %s\n  orderly-agent run\n",
			min(10, s.cfg.MaxActivationUses), min(4, s.cfg.MaxActivationHours), cli.RegisterLine(endpoint, id, code, srv.Fingerprint()))
	}
	if _, err := io.WriteString(out, text.String()); err != nil {
		return nil, err
	}
	return json.Marshal(here)
}

// reachable is an endpoint as others type it: with a name in place of an address that means any.
func reachable(endpoint, name string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return endpoint
	}
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsUnspecified() {
		u.Host = net.JoinHostPort(name, u.Port())
	}
	return u.String()
}

// writeFile replaces a file that only its owner may read, at once: whoever reads it meanwhile gets
// the old content or the new.
func writeFile(path string, content []byte) error {
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
