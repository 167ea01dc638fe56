package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/orderly-run/orderly/internal/console"
	"github.com/orderly-run/orderly/internal/wire"
)

// drain is how long requests under way may take to end when the server stops.
const drain = 10 * time.Second

// serve answers HTTP until ctx ends and all requests under way are answered.
func (s *Server) serve(ctx context.Context) error {
	return s.answerOn(ctx, s.cfg.HTTP.door(s.listener, s.metrics.turnedAway.Inc), s.mux(), s.tls)
}

// serveMetrics does so for metrics that have an address of their own.
func (s *Server) serveMetrics(ctx context.Context) error {
	if s.metricsListener == nil {
		return nil
	}
	m := http.NewServeMux()
	m.Handle("GET /metrics", s.metrics.handler())
	return s.answerOn(ctx, s.cfg.HTTP.door(s.metricsListener, s.metrics.turnedAway.Inc), m, nil)
}

// answerOn answers what comes in at a door, in plain text without a configuration for TLS.
func (s *Server) answerOn(ctx context.Context, in *door, h http.Handler, secure *tls.Config) error {
	srv := s.cfg.HTTP.server(h)
	srv.RegisterOnShutdown(s.console.Close)
	srv.TLSConfig, srv.ErrorLog = secure, slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug)
	failed := make(chan error, 1)
	go func() { // ends when srv is shut down
		if secure != nil {
			failed <- srv.ServeTLS(in, "", "")
		} else {
			failed <- srv.Serve(in)
		}
	}()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := srv.Shutdown(late); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func (s *Server) mux() http.Handler {
	m := http.NewServeMux()
	m.Handle("/", s.cfg.HTTP.bounded(s.rpc))
	m.Handle(console.Root, s.console)
	m.Handle(wire.RegisterPath, s.gateway)
	m.HandleFunc("GET "+wire.BusPath, s.tunnel)
	if s.metricsListener == nil && onLoopback(s.cfg.Listen) {
		m.Handle("GET /metrics", s.metrics.handler())
	}
	m.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil) })
	m.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { answer(w, s.ready(r.Context())) })
	return m
}

// readyLimit is how long the database may take to say that it is there.
const readyLimit = 5 * time.Second

// ready reports why the server cannot do its work now. Anybody may ask: what the database says of
// itself, its address and users, is for the log.
func (s *Server) ready(ctx context.Context) error {
	select {
	case <-s.gateway.Ready():
	default:
		return errors.New("the message bus is starting")
	}
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	if err := s.engine.Ready(ctx); err != nil {
		s.cfg.Log.Warn("not ready", "err", err)
		return errors.New("the database is not ready")
	}
	return nil
}

func answer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	text := "ok\n"
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		text = err.Error() + "\n"
	}
	_, _ = w.Write([]byte(text)) // the client has gone
}
