package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	_ "modernc.org/sqlite"             // the driver sqlite

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// A load is one run.
type load struct {
	settings
	store   *store.DB
	mixture []kind
	conn    *sql.Conn // beside the store
	sqlite  bool
}

func (l *load) run(ctx context.Context) error {
	for _, part := range []func(context.Context) error{l.machines, l.rows, l.connect, l.describe, l.withoutIndexes, l.settle} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return l.conn.Close()
}

// machine is the ID of the n-th one.
func (l *load) machine(n int) string {
	return orderly.NewID(orderly.InstancePrefix, l.region, int64(n)+1<<50)
}

// machines registers the account and the fleet.
func (l *load) machines(ctx context.Context) error {
	return l.store.Write(ctx, store.Mass, func(tx *store.Tx) error {
		if err := tx.AddAccount(l.account); err != nil && !errors.Is(err, store.ErrTaken) {
			return err
		}
		for n := range l.fleet {
			id := l.machine(n)
			if err := tx.AddInstance(orderly.Instance{Seq: int64(n) + 1<<50, ID: id, Account: l.account, Region: l.region, Name: fmt.Sprint("load-", n),
				PublicKey: id, OS: orderly.Linux, Registered: tx.Now.Add(-l.past)}); err != nil {
				return err
			}
		}
		return nil
	})
}

// at is when the i-th invocation was made.
func (l *load) at(begin time.Time, i int) time.Time {
	return begin.Add(l.past / time.Duration(l.invocations) * time.Duration(i)).Truncate(time.Millisecond)
}

// rows stores the invocations, as the engine does.
func (l *load) rows(ctx context.Context) error {
	const batch = 200
	begin := l.store.Now().Add(-l.past - time.Minute)
	counts := make([]orderly.Counts, len(l.mixture))
	for k := range l.mixture {
		counts[k] = l.mixture[k].counts(l.tasks)
	}
	for i := 0; i < l.invocations; i += batch {
		err := l.store.Write(ctx, store.Mass, func(tx *store.Tx) error {
			for n := i; n < min(i+batch, l.invocations); n++ {
				v := l.invocation(n, l.at(begin, n))
				due := time.Time{}
				if n < l.due {
					due = v.Created
				}
				if err := errors.Join(tx.AddInvocation(v), tx.Built(v.Seq, counts[n%len(l.mixture)], v.Repeat, due)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// connect opens the database beside the store, without care for power cuts.
func (l *load) connect(ctx context.Context) error {
	l.sqlite = !strings.HasPrefix(l.db, "postgres")
	driver, name := "pgx", l.db
	if l.sqlite {
		driver, name = "sqlite", "file:"+l.db+"?_pragma=synchronous(OFF)&_pragma=busy_timeout(60000)&_pragma=cache_size(-500000)&_pragma=temp_store(FILE)"
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		return err
	}
	if l.conn, err = db.Conn(ctx); err != nil {
		return err
	}
	if l.sqlite {
		return nil
	}
	return l.exec(ctx, `set synchronous_commit = off; set maintenance_work_mem = '512MB'`)
}

func (l *load) exec(ctx context.Context, q string, args ...any) error {
	if _, err := l.conn.ExecContext(ctx, q, args...); err != nil {
		return fmt.Errorf("%s: %w", strings.Fields(q)[:2], err)
	}
	return nil
}

// describe writes tables from which the database makes the tasks itself: how those of each kind stand,
// and which machine is the n-th.
func (l *load) describe(ctx context.Context) error {
	for _, q := range []string{
		`create temporary table load_machines (n bigint primary key, id text not null)`,
		`create temporary table load_tasks (kind bigint not null, n bigint not null, state text not null, code text not null, live bigint not null,
			started bigint not null, stopped bigint not null, finished bigint not null, exit_code bigint, output bytea not null, primary key (kind, n))`,
		`create temporary table load_kinds (i bigint primary key, seq bigint not null, created bigint not null, kind bigint not null)`,
		fmt.Sprintf(`insert into load_kinds (i, seq, created, kind) select n - 1, seq, created, (n - 1) %% %d
			from (select row_number() over (order by seq) as n, seq, created from invocations) v`, len(l.mixture)),
	} {
		if err := l.exec(ctx, q); err != nil {
			return err
		}
	}
	for n := range l.fleet {
		if err := l.exec(ctx, `insert into load_machines (n, id) values ($1, $2)`, n, l.machine(n)); err != nil {
			return err
		}
	}
	for k := range l.mixture {
		for n := range l.tasks {
			if err := l.exec(ctx, `insert into load_tasks (kind, n, state, code, live, started, stopped, finished, exit_code, output)
				values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, l.stand(k, n)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// stand is a row of load_tasks; its times count from the creation.
func (l *load) stand(k, n int) []any {
	s := l.mixture[k].task(n)
	code, live, started, stopped, finished, exit, output := "", 1, 0, 0, 0, any(nil), ""
	switch s.state {
	case orderly.Pending, orderly.Scheduled, orderly.Invalid, orderly.Aborted, orderly.Cancelled: // never ran
	default:
		started, output = 50+n, fmt.Sprintf("step %d of the work on this machine was done in time\n", n)
	}
	if s.stopped {
		stopped = 20_000
	}
	if !s.state.Live() {
		live, finished = 0, 21_000+n
	}
	switch s.state {
	case orderly.Success:
		exit = 0
	case orderly.Failed:
		exit, code = 1, "ExitCodeNonzero"
	case orderly.Timeout:
		exit, code = 137, "ExecutionTimeout"
	case orderly.Error, orderly.Invalid, orderly.Aborted:
		code = "ClientRestarted"
	}
	return []any{k, n, string(s.state), code, live, started, stopped, finished, exit, []byte(output)}
}

// withoutIndexes writes the tasks and makes their indexes again afterwards, which is faster.
func (l *load) withoutIndexes(ctx context.Context) error {
	indexes, err := l.indexes(ctx)
	if err != nil {
		return err
	}
	for name := range indexes {
		if err := l.exec(ctx, `drop index `+name); err != nil {
			return err
		}
	}
	if err := l.fill(ctx); err != nil {
		return err
	}
	for _, text := range indexes {
		if err := l.exec(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// indexes are those on tasks but the primary key's, and how they are made.
func (l *load) indexes(ctx context.Context) (map[string]string, error) {
	q := `select indexname, indexdef from pg_indexes where tablename = 'tasks' and schemaname = current_schema() and indexname not like '%_pkey'`
	if l.sqlite {
		q = `select name, sql from sqlite_master where type = 'index' and tbl_name = 'tasks' and sql is not null`
	}
	rows, err := l.conn.QueryContext(ctx, q)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[string]string{}
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			return nil, err
		}
		found[name] = text
	}
	return found, rows.Err()
}

// fill writes the tasks: the first of each invocation on the first machine, the others on the next ones.
func (l *load) fill(ctx context.Context) error {
	const batch = 500 // invocations
	for i := 0; i < l.invocations; i += batch {
		err := l.exec(ctx, fmt.Sprintf(`insert into tasks (invocation, ordinal, instance, live, state, error_code, incarnation, boot, sent, sends, confirmed, asked, due,
			created, started, stopped, finished, updated, exit_code, repeats, report, total, output)
			select v.seq, t.n, m.id, t.live, t.state, t.code, 'incarnation-1', 'boot-1', v.created, 1, 1, 0, case when v.i < $3 and t.n < $4 then v.created else 0 end,
				v.created, case when t.started > 0 then v.created + t.started else 0 end, case when t.stopped > 0 then v.created + t.stopped else 0 end,
				case when t.finished > 0 then v.created + t.finished else 0 end, v.created + 21000, t.exit_code,
				case when t.started > 0 then 1 else 0 end, 9, length(t.output), t.output
			from load_kinds v join load_tasks t on t.kind = v.kind
				join load_machines m on m.n = case when t.n = 0 then 0 else 1 + (v.i * %d + t.n - 1) %% %d end
			where v.i >= $1 and v.i < $2 order by v.seq, t.n`, l.tasks-1, l.fleet-1), i, i+batch, l.due, l.dueEach)
		if err != nil {
			return err
		}
	}
	return nil
}

// settle writes what the engine would have with the tasks, and leaves the database as one that has run
// for a while.
func (l *load) settle(ctx context.Context) error {
	for _, q := range []string{
		`update invocations set finished = created + 22000 where finished > 0`,
		`insert into standings (account, region, kind, value, seq) select distinct v.account, v.region, 'holds', t.state, v.seq
			from load_kinds k join invocations v on v.seq = k.seq join (select distinct kind, state from load_tasks) t on t.kind = k.kind where true on conflict do nothing`,
	} {
		if err := l.exec(ctx, q); err != nil {
			return err
		}
	}
	if l.sqlite {
		return l.exec(ctx, `pragma wal_checkpoint(TRUNCATE)`)
	}
	return l.exec(ctx, `vacuum analyze`)
}
