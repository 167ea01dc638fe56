package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/orderly-run/orderly/internal/server"
)

// profiled is a server that writes a CPU profile, in place of the program that is shipped.
func (b *bench) profiled(dir, mode string) (command, error) {
	if err := os.MkdirAll(b.profile, 0o755); err != nil {
		return command{}, err
	}
	self, err := os.Executable()
	return command{path: self, args: []string{"server", "-data", dir, "-tls", mode, "-profile", filepath.Join(b.profile, "server-tls-"+mode)}}, err
}

// profiledServer is that server. It begins its profile at the first line of its input, and ends it
// with itself; the heap's comes then too.
func profiledServer(ctx context.Context, args []string) error {
	var cfg server.Config
	f := flag.NewFlagSet("server", flag.ContinueOnError)
	f.StringVar(&cfg.Data, "data", "", "")
	f.StringVar(&cfg.TLS, "tls", "off", "")
	profile := f.String("profile", "", "")
	if err := f.Parse(args); err != nil {
		return err
	}
	cfg.Listen, cfg.NATSListen = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	srv, err := server.New(ctx, cfg)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return srv.Run(ctx) })
	g.Go(func() error {
		select {
		case <-srv.Ready():
			return announce(srv, cfg.Data)
		case <-ctx.Done():
			return nil
		}
	})
	if lines := bufio.NewScanner(os.Stdin); lines.Scan() && strings.TrimSpace(lines.Text()) == "profile" {
		if err := profileUntil(ctx, *profile); err != nil {
			return err
		}
	}
	return g.Wait()
}

// announce writes the files by which programs on this machine find the server.
func announce(srv *server.Server, data string) error {
	where := map[string]string{"endpoint": srv.Endpoint()}
	if ca := srv.CA(); ca != "" {
		where["caFile"] = filepath.Join(data, "ca.pem")
		if err := os.WriteFile(where["caFile"], []byte(ca), 0o600); err != nil {
			return err
		}
	}
	text, err := json.Marshal(where)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(data, "server.json"), text, 0o600)
}

func profileUntil(ctx context.Context, path string) error {
	heap, err := os.Create(path + ".heap")
	if err != nil {
		return err
	}
	defer heap.Close()
	if err := pprof.WriteHeapProfile(heap); err != nil {
		return err
	}
	cpu, err := os.Create(path + ".prof")
	if err != nil {
		return err
	}
	defer cpu.Close()
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return err
	}
	<-ctx.Done()
	pprof.StopCPUProfile()
	return nil
}
