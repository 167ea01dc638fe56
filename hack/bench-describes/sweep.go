package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver sqlite

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// dueTasks is how many tasks are due at once.
const dueTasks = 100

// A sweep is what a look for deadlines costs beside tasks that wait.
type sweep struct {
	Database    string  `json:"database"`
	Waiting     int     `json:"waiting"`
	Invocations int     `json:"dueInvocations"` // that the due tasks are of
	Took        spread  `json:"tookMilliseconds"`
	HeapMB      float64 `json:"heapMB"`  // of Go
	OtherMB     float64 `json:"otherMB"` // private memory beside it
	Plan        string  `json:"plan,omitempty"`
}

// sweeps measures the look for deadlines in an empty database and beside tasks that wait.
func (b *bench) sweeps(ctx context.Context, backend string) error {
	for _, waiting := range []int{dueTasks * b.Tasks, b.Waiting} { // each of the due tasks is one of another invocation's, in turn
		p, err := b.fill(ctx, backend, fmt.Sprint("waiting-", waiting), "-invocations", strconv.Itoa(waiting/b.Tasks), "-mix", "scheduled")
		if err != nil {
			return err
		}
		for _, invocations := range []int{1, dueTasks} {
			if err := b.sweep(ctx, backend, p, sweep{Database: backend, Waiting: waiting, Invocations: invocations}); err != nil {
				p.close()
				return err
			}
		}
		p.close()
	}
	return nil
}

// sweep takes the time until nothing is due any more, again and again.
func (b *bench) sweep(ctx context.Context, backend string, p *place, s sweep) error {
	driver := map[string]string{"sqlite": "sqlite", "postgres": "pgx"}[backend]
	raw, err := sql.Open(driver, p.url)
	if err != nil {
		return err
	}
	defer func() { _ = raw.Close() }()
	seqs, err := newest(ctx, raw, s.Invocations)
	if err != nil {
		return err
	}
	var times []time.Duration
	for i := range b.Runs/4 + warmup {
		if err := p.arm(ctx, seqs); err != nil {
			return err
		}
		begin := time.Now()
		found, err := p.sweep(ctx)
		if err != nil {
			return err
		}
		if took := time.Since(begin); i >= warmup {
			times = append(times, took)
		}
		if found != dueTasks {
			return fmt.Errorf("%d tasks were due, not %d", found, dueTasks)
		}
	}
	s.Took = spreadOf(times, 1)
	s.HeapMB, s.OtherMB = memory()
	if err := p.arm(ctx, seqs); err != nil {
		return err
	}
	invocations, tasks, err := p.db.ExplainDue(ctx, p.db.Now())
	if err != nil {
		return err
	}
	if _, err := p.sweep(ctx); err != nil {
		return err
	}
	s.Plan = invocations + "\n" + tasks
	b.Sweeps = append(b.Sweeps, s)
	fmt.Printf("\n%s: %d due tasks of %d invocations beside %d that wait: %.2f ms, p99 %.2f; heap %.1f MB, other memory %.1f MB\n%s\n", backend, dueTasks, s.Invocations,
		s.Waiting, s.Took.Median, s.Took.P99, s.HeapMB, s.OtherMB, s.Plan)
	return nil
}

// newest are the newest invocations.
func newest(ctx context.Context, raw *sql.DB, n int) (seqs []int64, err error) {
	rows, err := raw.QueryContext(ctx, fmt.Sprintf(`select seq from invocations order by seq desc limit %d`, n))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var seq int64
		if err := rows.Scan(&seq); err != nil {
			return nil, err
		}
		seqs = append(seqs, seq)
	}
	return seqs, rows.Err()
}

// arm makes tasks of some invocations due, by the store: what another connection of SQLite writes empties
// the caches of those there are.
func (p *place) arm(ctx context.Context, seqs []int64) error {
	return p.db.Write(ctx, store.Mass, func(tx *store.Tx) error {
		var due []orderly.Task
		for _, seq := range seqs {
			tasks, err := tx.InvocationTasks(seq, -1, dueTasks/len(seqs))
			if err != nil {
				return err
			}
			due = append(due, tasks...)
		}
		for i := range due {
			due[i].Due = time.UnixMilli(1)
		}
		return errors.Join(tx.SaveTasks(due), tx.Redue(seqs))
	})
}

// sweep handles what is due as the engine does, but decides that it is due no more.
func (p *place) sweep(ctx context.Context) (found int, err error) {
	for {
		now := p.db.Now()
		if due, err := p.db.AnyDue(ctx, now); err != nil || !due {
			return found, err
		}
		err := p.db.Write(ctx, store.Mass, func(tx *store.Tx) error {
			seqs, err := tx.DueInvocations(now, 100)
			if err != nil {
				return err
			}
			tasks, err := tx.DueTasks(seqs, now, 500)
			if err != nil {
				return err
			}
			if err := p.planned(tx, tasks); err != nil {
				return err
			}
			ids := make([]string, len(tasks))
			for i := range tasks {
				ids[i], tasks[i].Due = tasks[i].Instance, time.Time{}
			}
			if _, err := tx.Presences(ids); err != nil {
				return err
			}
			found += len(tasks)
			return errors.Join(tx.SaveTasks(tasks), tx.Redue(seqs))
		})
		if err != nil {
			return found, err
		}
	}
}

// planned looks up the invocations of tasks that were not looked up before, as the engine does, which keeps their plans.
func (p *place) planned(tx *store.Tx, tasks []orderly.Task) error {
	var ask []int64
	for i := range tasks {
		if seq := tasks[i].Invocation; !p.plans[seq] {
			p.plans[seq] = true
			ask = append(ask, seq)
		}
	}
	_, err := tx.InvocationsBySeq(ask)
	return err
}

// memory is what the process has of its own, in MB: the heap of Go after a collection, and the rest.
func memory() (heap, other float64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	heap = float64(m.HeapAlloc) / 1e6
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return heap, 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, _ := strconv.Atoi(strings.Fields(value)[0])
			other = float64(kb)/1000 - float64(m.HeapInuse)/1e6
		}
	}
	return heap, other
}
