package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// A lost is a database as it was at an earlier time: with live tasks in several places, and others.
type lost struct {
	url        string
	db         *store.DB
	live       int // tasks of which it must be asked
	ended      orderly.TaskKey
	large      orderly.Invocation // with a Running task first
	repeats    orderly.Invocation
	unfinished orderly.Invocation
}

func lose(t *testing.T, url string) *lost {
	t.Helper()
	l := &lost{url: url, db: open(t, url)}
	ids := make([]string, 1100)
	for i := range ids {
		ids[i] = fmt.Sprintf("mi-%04d", i)
	}
	addInstances(t, l.db, true, "mi-0000", "mi-0001")
	l.large = addInvocation(t, l.db, ids, nil)
	l.repeats = schedule(t, l.db, orderly.Period, "mi-0000", "mi-0001")
	one := addInvocation(t, l.db, []string{"mi-0000", "mi-0001"}, nil)
	l.ended = orderly.TaskKey{Invocation: one.Seq, Ordinal: 1}
	l.unfinished = unbuilt(t, l.db, "token")
	l.live = 1100 + 2 + 1
	change(t, l.db, func(tx *store.Tx) error {
		tasks, err := tx.Tasks([]orderly.TaskKey{{Invocation: l.large.Seq}, l.ended})
		if err != nil {
			return err
		}
		boot := orderly.Boot{Incarnation: "inc", ID: "boot"}
		tasks[0].Hand(boot, tx.Now, l.large.Plan(), orderly.DefaultLimits)
		tasks[0].Apply(orderly.Report{Task: tasks[0].TaskKey, Number: 2, State: orderly.Running, Started: tx.Now, Output: []byte("so far"), Total: 6}, l.large.Plan(), orderly.DefaultLimits, tx.Now)
		tasks[1].Release(orderly.InstanceReleased, tx.Now, one.Plan())
		if err := tx.SaveTasks(tasks); err != nil {
			return err
		}
		return tx.Changed([]store.Change{{Seq: l.large.Seq, Delta: orderly.Counts{Pending: -1, Running: 1}}, {Seq: one.Seq, Delta: orderly.Counts{Pending: -1, Stopped: 1}}})
	})
	return l
}

// check finds what is not as it must be in a database that was restored.
func (l *lost) check(t *testing.T, beside *sql.DB) {
	t.Helper()
	for q, want := range map[string]int{
		`select marking from generation`: 0,
		`select count(*) from tasks where live = 1 and incarnation = '*' and boot = '*' and confirmed = 1 and asked = 0 and due > 0`:                                      l.live,
		fmt.Sprintf(`select count(*) from tasks where invocation = %d and incarnation = ''`, l.unfinished.Seq):                                                            25,
		fmt.Sprintf(`select count(*) from tasks where invocation = %d and ordinal = 1 and incarnation = ''`, l.ended.Invocation):                                          1,
		fmt.Sprintf(`select count(*) from tasks where invocation = %d and ordinal = 0 and state = 'Running' and total = 6`, l.large.Seq):                                  1,
		`select count(*) from presence where link <> ''`:                                                                                                                  0,
		fmt.Sprintf(`select version from invocations where seq = %d`, l.large.Seq):                                                                                        0,
		`select count(*) from counters c where exists (select 1 from tasks t where t.invocation = c.invocation and t.due > 0 and (c.next_due = 0 or t.due < c.next_due))`: 0,
	} {
		if n := count(t, beside, q); n != want {
			t.Errorf("%s = %d, want %d", q, n, want)
		}
	}
	if n := count(t, beside, fmt.Sprintf(`select version from invocations where seq = %d`, l.repeats.Seq)); n < 1<<16 {
		t.Errorf("the schedule has version %d, want one above all that may have been made since the backup", n)
	}
	change(t, l.db, func(tx *store.Tx) error {
		tasks, err := tx.Tasks([]orderly.TaskKey{{Invocation: l.large.Seq}})
		if err == nil && string(tasks[0].Output) != "so far" {
			t.Errorf("output = %q, want it kept", tasks[0].Output)
		}
		return err
	})
}

func count(t *testing.T, db *sql.DB, q string) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), q).Scan(&n); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return n
}

// Design 2b rule 18: after a restore every live task is one that is asked about.
func TestRestoreDoubtsLiveTasks(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		l := lose(t, url)
		for generation := 2; generation < 4; generation++ {
			got, err := l.db.Restored(t.Context())
			must(t, err)
			if d := cmp.Diff(store.Restoration{Generation: generation, Tasks: l.live, Machines: 1100}, got); d != "" {
				t.Errorf("Restored (-want +got)\n%s", d)
			}
			l.check(t, raw(t, url))
		}
		later := addInvocation(t, l.db, []string{"mi-0000"}, nil)
		open(t, url) // a server that starts
		if n := count(t, raw(t, url), fmt.Sprintf(`select count(*) from tasks where invocation = %d and incarnation = ''`, later.Seq)); n != 1 {
			t.Error("a task of after the restore is asked about")
		}
	})
}

// What a restore that was cut off has not come to is done before any server has the database, however many start.
func TestRestoreThatWasCutOffIsFinished(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		l := lose(t, url)
		beside := raw(t, url)
		exec(t, beside, `update generation set number = 2, marking = 1`)
		exec(t, beside, `update presence set link = ''`)
		exec(t, beside, fmt.Sprintf(`update tasks set incarnation = '*', boot = '*', confirmed = 1, due = 1 where invocation = %d and ordinal >= 3 and ordinal < 700`, l.large.Seq))
		done := make(chan error)
		for range 2 {
			go func() {
				db, err := store.Open(t.Context(), url, store.Options{Secret: secret})
				if err == nil {
					err = db.Close()
				}
				done <- err
			}()
		}
		must(t, errors.Join(<-done, <-done))
		exec(t, beside, `update counters set next_due = 1 where next_due > 0`) // of those that were marked by hand
		l.check(t, beside)
	})
}

// With another secret the database is of no use, and stays as it is.
func TestRestoreNeedsTheSecret(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		_, err := open(t, url).Secret(t.Context(), "s", func() ([]byte, error) { return []byte("x"), nil })
		must(t, err)
		other, err := store.Open(t.Context(), url, store.Options{Secret: make([]byte, 32)})
		must(t, err)
		defer func() { must(t, other.Close()) }()
		if _, err := other.Restored(t.Context()); err == nil {
			t.Error("it is restored with another secret")
		}
		if n := count(t, raw(t, url), `select number from generation`); n != 1 {
			t.Errorf("generation %d, want 1", n)
		}
	})
}

// Who has the database open is seen.
func TestAloneWithADatabase(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		db, err := store.Open(t.Context(), url, store.Options{Secret: secret})
		must(t, err)
		if err := store.Alone(t.Context(), url); !errors.Is(err, store.ErrInUse) {
			t.Errorf("beside a server: %v, want ErrInUse", err)
		}
		change(t, db, func(tx *store.Tx) error { return tx.AddAccount("1") }) // it goes on
		must(t, db.Close())
		tick := time.NewTicker(10 * time.Millisecond) // a session of PostgreSQL ends a moment after its client
		defer tick.Stop()
		for end := time.After(10 * time.Second); ; {
			err := store.Alone(t.Context(), url)
			if err == nil {
				return
			}
			select {
			case <-tick.C:
			case <-end:
				t.Fatalf("after its end: %v", err)
			}
		}
	})
}
