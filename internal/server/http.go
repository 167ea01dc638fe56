package server

import (
	"context"
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
	srv := &http.Server{
		Handler: s.mux(), TLSConfig: s.tls, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute,
		WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
	srv.RegisterOnShutdown(s.console.Close)
	failed := make(chan error, 1)
	go func() { // ends when srv is shut down
		if s.tls != nil {
			failed <- srv.ServeTLS(s.listener, "", "")
		} else {
			failed <- srv.Serve(s.listener)
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
	m.Handle("/", s.rpc)
	m.Handle(console.Root, s.console)
	m.Handle(wire.RegisterPath, s.gateway)
	m.Handle("GET /metrics", s.metrics.handler())
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
