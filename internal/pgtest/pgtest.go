// Package pgtest gives tests a real, empty PostgreSQL database. It is for tests alone: nothing
// that is built into a program may import it.
//
// The database comes from the first of these that is there:
//
//  1. the server that ORDERLY_TEST_POSTGRES names (a URL whose user may create databases);
//  2. a throwaway cluster made of the server binaries installed on this machine, one for each
//     test process, which ends and is deleted when that process ends, however it ends;
//  3. nothing: the test is skipped with one line that says so, or fails when CI=true or
//     ORDERLY_REQUIRE_POSTGRES=1 is set, so that nobody takes a skip for a pass.
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// The two clusters that a test process can have. Each is started by its first user.
var (
	quick   = sync.OnceValues(func() (*cluster, error) { return startCluster(false) })
	durable = sync.OnceValues(func() (*cluster, error) { return startCluster(true) })
)

// A cluster is a running throwaway server.
type cluster struct {
	url  string    // of its maintenance database
	life io.Closer // it ends when this is closed, at the latest by the end of our process
}

// DSN returns the URL of a fresh, empty database that is dropped when t ends. Its server does
// not fsync: it survives kill -9 of any process, but not of the machine.
func DSN(t testing.TB) string {
	t.Helper()
	return database(t, quick)
}

// DurableDSN is DSN on a server that does fsync, for tests and benchmarks in which the cost of
// a durable commit matters. A server given by ORDERLY_TEST_POSTGRES does as it is configured.
func DurableDSN(t testing.TB) string {
	t.Helper()
	return database(t, durable)
}

// database makes a database in the server of ORDERLY_TEST_POSTGRES, or else in the throwaway one.
func database(t testing.TB, throwaway func() (*cluster, error)) string {
	t.Helper()
	server := os.Getenv("ORDERLY_TEST_POSTGRES")
	if server == "" {
		c, err := throwaway()
		if err != nil {
			absent(t, err)
		}
		server = c.url
	}
	name := "orderly_" + strings.ToLower(rand.Text()[:16])
	execute(t, server, "create database "+name)
	t.Cleanup(func() { execute(t, server, "drop database if exists "+name+" with (force)") })

	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("ORDERLY_TEST_POSTGRES is not a URL: %v", err)
	}
	u.Path = "/" + name
	return u.String()
}

// absent ends a test that needs PostgreSQL where there is none.
func absent(t testing.TB, reason error) {
	t.Helper()
	if required() {
		t.Fatalf("PostgreSQL is required here: %v", reason)
	}
	t.Skipf("NOT TESTED ON POSTGRESQL: %v (run hack/prepare or set ORDERLY_TEST_POSTGRES)", reason)
}

// required reports whether a test without PostgreSQL must fail instead of being skipped.
func required() bool {
	return os.Getenv("CI") == "true" || os.Getenv("ORDERLY_REQUIRE_POSTGRES") == "1"
}

// execute runs one statement on a connection of its own.
func execute(t testing.TB, dsn, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, dsn, statement); err != nil {
		t.Errorf("%s: %v", statement, err)
	}
}

func run(ctx context.Context, dsn, statement string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}
