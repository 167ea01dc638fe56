package pgtest_test

import (
	"context"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/orderly-run/orderly/internal/pgtest"
)

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func TestEachDatabaseIsEmptyAndItsOwn(t *testing.T) {
	one, two := connect(t, pgtest.DSN(t)), connect(t, pgtest.DSN(t))

	for _, statement := range []string{"create table tasks (id text)", "insert into tasks values ('t-1')"} {
		if _, err := one.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if got := tables(t, one); got != 1 {
		t.Errorf("tables in the first database = %d, want 1", got)
	}
	if got := tables(t, two); got != 0 {
		t.Errorf("tables in the second database = %d, want 0", got)
	}
}

func tables(t *testing.T, conn *pgx.Conn) int {
	t.Helper()
	var n int
	const q = `select count(*) from information_schema.tables where table_schema = 'public'`
	if err := conn.QueryRow(t.Context(), q).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDatabaseGoesWithItsTest(t *testing.T) {
	var dsn string
	t.Run("user", func(t *testing.T) {
		dsn = pgtest.DSN(t)
		connect(t, dsn) // still open when the database is dropped
	})
	if dsn == "" {
		t.SkipNow() // the user was skipped, and has said why
	}
	if conn, err := pgx.Connect(t.Context(), dsn); err == nil {
		conn.Close(t.Context())
		t.Errorf("database of a finished test still answers: %s", dsn)
	}
}

func TestDurableDSNSyncs(t *testing.T) {
	if os.Getenv("ORDERLY_TEST_POSTGRES") != "" {
		t.Skip("the given server syncs as it is configured")
	}
	var got string
	if err := connect(t, pgtest.DurableDSN(t)).QueryRow(t.Context(), "show fsync").Scan(&got); err != nil {
		t.Fatal(err)
	}
	if got != "on" {
		t.Errorf("fsync = %s, want on", got)
	}
}
