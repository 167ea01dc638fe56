package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx

	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// account and region are what the databases are filled for.
const (
	account = "1000000000000001"
	region  = "cn-hangzhou"
)

// A place is a database of its own.
type place struct {
	db     *store.DB
	engine *engine.Engine
	plans  map[int64]bool // of invocations that were looked up, as the engine keeps them
	url    string
	stop   func()
	remove func()
}

// fill makes a database and loads it.
func (b *bench) fill(ctx context.Context, backend, name string, args ...string) (*place, error) {
	p, err := b.create(ctx, backend, name)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, b.load, append([]string{"-db", p.url, "-account", account, "-region", region, "-tasks", strconv.Itoa(b.Tasks)}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.remove()
		return nil, fmt.Errorf("load %s: %w\n%s", name, err, out)
	}
	fmt.Fprintf(os.Stderr, "%s, %s: %s", backend, name, out)
	return p, p.open(ctx)
}

// create makes an empty database.
func (b *bench) create(ctx context.Context, backend, name string) (*place, error) {
	p := &place{url: filepath.Join(b.dir, name+".db"), plans: map[int64]bool{}}
	p.remove = func() {
		for _, tail := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(p.url + tail)
		}
	}
	if backend != "postgres" {
		return p, nil
	}
	at, err := url.Parse(b.server)
	if err != nil {
		return nil, err
	}
	admin, err := sql.Open("pgx", b.server)
	if err != nil {
		return nil, err
	}
	name = "orderly_describes_" + strings.ReplaceAll(name, "-", "_")
	if _, err := admin.ExecContext(ctx, `create database `+name); err != nil {
		_ = admin.Close()
		return nil, err
	}
	at.Path = "/" + name
	p.url = at.String()
	p.remove = func() {
		_, _ = admin.ExecContext(context.WithoutCancel(ctx), `drop database if exists `+name+` with (force)`)
		_ = admin.Close()
	}
	return p, nil
}

// open opens the database as a server does.
func (p *place) open(ctx context.Context) (err error) {
	if p.db, err = store.Open(ctx, p.url, store.Options{Secret: make([]byte, 32)}); err != nil {
		return err
	}
	p.engine = engine.New(p.db, nil, engine.Config{}) // which sends nothing here
	running, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = p.db.Run(running)
	}()
	p.stop = func() {
		stop()
		<-done
		_ = p.db.Close()
	}
	return nil
}

// close ends and removes it.
func (p *place) close() {
	if p.stop != nil {
		p.stop()
	}
	p.remove()
}
