package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/orderly-run/orderly/internal/client"
)

// region is the one that the server has.
const region = "cn-hangzhou"

// patience is how long something may take before it counts as failed.
const patience = 5 * time.Minute

// A place is a server that runs, and how it is called.
type place struct {
	dir      string
	bin      string // directory of the programs
	db       string // URL of PostgreSQL, or the path of a file
	server   *exec.Cmd
	endpoint string
	key      struct{ AccessKeyID, AccessKeySecret, Account string }
	api      *client.Client
}

// build makes the programs as they are shipped.
func build(ctx context.Context, bin string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", bin+"/", "./cmd/orderly", "./hack/load")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// command is a program that is asked to end when the context does.
func (p *place) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, program), args...)
	cmd.Env = append(os.Environ(), "ORDERLY_DATA="+p.dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	return cmd
}

// open starts the server and returns when it is ready.
func (p *place) open(ctx context.Context) error {
	at := filepath.Join(p.dir, "server.json")
	if err := os.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	log, err := os.Create(p.dir + ".log")
	if err != nil {
		return err
	}
	defer log.Close() // the server has it open
	p.server = p.command(ctx, "orderly", "server", "--data", p.dir, "--db", p.db, "--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0", "--region", region,
		"--max-activations", "1000")
	p.server.Stdout, p.server.Stderr = log, log
	if err := p.server.Start(); err != nil {
		return err
	}
	if err := await(ctx, "the server is ready", func() error { return p.ready(at) }); err != nil {
		return err
	}
	if err := readJSON(filepath.Join(p.dir, "access-key.json"), &p.key); err != nil {
		return err
	}
	p.api, err = client.New(client.Config{Endpoint: p.endpoint, KeyID: p.key.AccessKeyID, Secret: p.key.AccessKeySecret, Region: region})
	return err
}

func (p *place) ready(at string) error {
	var where struct{ Endpoint string }
	if err := readJSON(at, &where); err != nil {
		return err
	}
	p.endpoint = where.Endpoint
	resp, err := http.Get(p.endpoint + "/readyz") //nolint:noctx // on loopback
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// close ends the server.
func (p *place) close() {
	_ = p.server.Process.Signal(syscall.SIGTERM)
	_ = p.server.Wait() // how it ends is in its log
}

// fill makes a database: that of a server's first start, with what hack/load puts beside its account.
func (b *bench) fill(ctx context.Context, p *place) error {
	if err := p.open(ctx); err != nil {
		return err
	}
	p.close()
	cmd := p.command(ctx, "load", "-db", p.db, "-account", p.key.Account, "-region", region, "-fleet", strconv.Itoa(max(100, b.Tasks+1)),
		"-invocations", strconv.Itoa(b.Invocations), "-tasks", strconv.Itoa(b.Tasks))
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
}

// computed is what a process has computed so far, on all cores together.
func computed(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, errors.New("/proc has another form here")
	}
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return time.Duration(user+system) * (time.Second / 100), err
}

// await waits until something holds.
func await(ctx context.Context, what string, holds func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := holds()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}

func readJSON(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}
