package store_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/pgtest"
	"github.com/orderly-run/orderly/internal/store"
)

// Design 2b rule 17: one writer with two queues, interactive before mass.
func TestInteractiveWaitsForOneMassWriterOnly(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "orderly.db"))
	var order []string // written by one transaction at a time
	started, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	write := func(c store.Class, name string) {
		wg.Go(func() {
			err := db.Write(t.Context(), c, func(*store.Tx) error {
				order = append(order, name)
				if len(order) == 1 {
					close(started)
					<-release
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	write(store.Mass, "first")
	within(t, 10*time.Second, started, "start of the first writer")
	for range 50 {
		write(store.Mass, "mass")
	}
	db.AwaitQueue(store.Mass, 50)
	write(store.Interactive, "interactive")
	db.AwaitQueue(store.Interactive, 1)
	close(release)
	wg.Wait()
	if len(order) != 52 || order[1] != "interactive" {
		t.Errorf("order = %d writers, second %q; want 52, the interactive one second", len(order), order[1])
	}
}

func TestWaiterThatGivesUpPassesItsTurnOn(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "orderly.db"))
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { _ = db.Write(ctx, store.Mass, func(*store.Tx) error { return nil }) })
		}
		cancel()
		wg.Wait()
		change(t, db, func(*store.Tx) error { return nil })
	}
}

// Who watches the database is told of every transaction, of those that fail too, and not of the wait before it.
func TestTransactionsAreObserved(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		var took [2][]time.Duration
		db, err := store.Open(t.Context(), url, store.Options{Secret: secret, Observe: func(c store.Class, d time.Duration) { took[c] = append(took[c], d) }})
		must(t, err)
		defer func() { must(t, db.Close()) }()
		took = [2][]time.Duration{} // without what made the schema
		must(t, db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error { return tx.AddAccount("1") }))
		broken := errors.New("broken")
		if err := db.Write(t.Context(), store.Mass, func(*store.Tx) error { return broken }); !errors.Is(err, broken) {
			t.Errorf("Write = %v, want %v", err, broken)
		}
		if len(took[store.Interactive]) != 1 || len(took[store.Mass]) != 1 || took[store.Interactive][0] <= 0 {
			t.Errorf("took %v, want one of each class", took)
		}
	})
}

func TestFailedChangeLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		broken := errors.New("broken")
		err := db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error {
			return errors.Join(tx.AddAccount("1"), broken)
		})
		if !errors.Is(err, broken) || errors.Is(err, store.ErrOutage) {
			t.Errorf("Write = %v, want the function's own error, which is no outage", err)
		}
		if got, err := db.Accounts(t.Context()); err != nil || len(got) != 0 {
			t.Errorf("Accounts = %v, %v; want none", got, err)
		}
		if at := db.BrokenUntil(); !at.IsZero() {
			t.Errorf("BrokenUntil = %v after an error that is not the database's", at)
		}
	})
}

// Two transactions that lock two rows in opposite order: PostgreSQL ends one, which is tried again.
func TestCollidingChangesBothHappen(t *testing.T) {
	db := open(t, pgtest.DSN(t))
	addInstances(t, db, false, "mi-1", "mi-2")
	var tries atomic.Int64
	met := make(chan struct{}, 2)
	both := make(chan struct{})
	go func() {
		<-met
		<-met
		close(both)
	}()
	rename := func(first, second string) error {
		mine := 0
		return db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error {
			tries.Add(1)
			if _, err := tx.Instance(first); err != nil {
				return err
			}
			if mine++; mine == 1 {
				met <- struct{}{}
				<-both
			}
			return tx.Renamed(second, "by "+first)
		})
	}
	var wg sync.WaitGroup
	wg.Go(func() { must(t, rename("mi-1", "mi-2")) })
	wg.Go(func() { must(t, rename("mi-2", "mi-1")) })
	wg.Wait()
	if n := tries.Load(); n < 3 {
		t.Errorf("%d tries, want one more than two: nothing collided", n)
	}
	list, _, err := db.Instances(t.Context(), store.InstanceFilter{Account: account}, store.Page{Limit: 10})
	must(t, err)
	for _, i := range list {
		if !strings.HasPrefix(i.Name, "by mi-") {
			t.Errorf("%s has the name %q: its change was lost", i.ID, i.Name)
		}
	}
}

// A result must not be thrown away because the database had a bad moment: what is wrong with a
// statement and what is wrong with the database are told apart.
func TestOutageIsToldFromBadRow(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		db := open(t, url)
		addInstances(t, db, false, "mi-1")
		beside := raw(t, url)
		refuseName(t, url, "mi-1")
		err := db.Write(t.Context(), store.Mass, func(tx *store.Tx) error { return tx.Renamed("mi-1", "poison") })
		if err == nil || errors.Is(err, store.ErrOutage) {
			t.Errorf("a bad row = %v, want an error that is no outage", err)
		}
		if at := db.BrokenUntil(); !at.IsZero() {
			t.Errorf("BrokenUntil = %v after a bad row", at)
		}
		err = db.Write(t.Context(), store.Mass, func(tx *store.Tx) error {
			cut(t, url, beside)
			return tx.Renamed("mi-1", "x")
		})
		if strings.HasPrefix(url, "postgres") && (!errors.Is(err, store.ErrOutage) || db.BrokenUntil().IsZero()) {
			t.Errorf("a cut connection = %v, broken at %v; want ErrOutage and a time", err, db.BrokenUntil())
		}
		must(t, db.Close())
		if err := db.Write(t.Context(), store.Mass, func(*store.Tx) error { return nil }); !errors.Is(err, store.ErrOutage) {
			t.Errorf("Write on a closed database = %v, want ErrOutage", err)
		}
	})
}

// cut ends all other connections to a PostgreSQL database.
func cut(t *testing.T, url string, beside *sql.DB) {
	t.Helper()
	if strings.HasPrefix(url, "postgres") {
		_, err := beside.ExecContext(t.Context(), `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`)
		must(t, err)
	}
}

// refuseName makes the database refuse one name for one instance.
func refuseName(t *testing.T, url, instance string) {
	t.Helper()
	for _, q := range poison(url, "instances", "new.id = '"+instance+"' and new.name = 'poison'") {
		_, err := raw(t, url).ExecContext(t.Context(), q)
		must(t, err)
	}
}

// poison is what makes a database refuse to update rows of a table that meet a condition.
func poison(url, table, when string) []string {
	if strings.HasPrefix(url, "postgres") {
		return []string{
			`create function refuse() returns trigger language plpgsql as $$ begin raise exception 'poison'; end $$`,
			`create trigger poison before update on ` + table + ` for each row when (` + when + `) execute function refuse()`,
		}
	}
	return []string{`create trigger poison before update on ` + table + ` when ` + when + ` begin select raise(abort, 'poison'); end`}
}

func TestTokenIsRememberedForItsOperation(t *testing.T) { // TOK-1, TOK-2
	eachURL(t, func(t *testing.T, url string) {
		db := open(t, url)
		k := store.ClientToken{Account: account, Region: region, Operation: "RunCommand", Token: "t", Digest: []byte{1}, Answer: "a"}
		change(t, db, func(tx *store.Tx) error { return tx.Remember(k) })
		replay := func(k store.ClientToken) (got store.ClientToken, found bool) {
			change(t, db, func(tx *store.Tx) (err error) {
				got, found, err = tx.Replayed(k)
				return err
			})
			return got, found
		}
		if got, found := replay(store.ClientToken{Account: account, Region: region, Operation: "RunCommand", Token: "t"}); !found || got.Answer != "a" {
			t.Errorf("Replayed = %+v, %v; want the answer a", got, found)
		}
		for _, other := range []store.ClientToken{
			{Account: "2", Region: region, Operation: "RunCommand", Token: "t"},
			{Account: account, Region: "cn-beijing", Operation: "RunCommand", Token: "t"},
			{Account: account, Region: region, Operation: "InvokeCommand", Token: "t"},
			{Account: account, Region: region, Operation: "RunCommand", Token: "T"},
		} {
			if _, found := replay(other); found {
				t.Errorf("%+v is taken for a repetition", other)
			}
		}
		if err := db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error { return tx.Remember(k) }); !errors.Is(err, store.ErrTaken) {
			t.Errorf("second Remember = %v, want ErrTaken", err)
		}
		_, err := raw(t, url).ExecContext(t.Context(), `update client_tokens set created = $1`, db.Now().Add(-24*time.Hour-time.Second).UnixMilli())
		must(t, err)
		if _, found := replay(k); found {
			t.Error("a token of yesterday is remembered")
		}
		change(t, db, func(tx *store.Tx) error { return tx.Remember(k) })
	})
}

func TestForgetRemovesWhatExpiredInSteps(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		db := open(t, url)
		for i := range 5 {
			until := db.Now().Add(time.Duration(i-2)*time.Hour - time.Minute) // three of five are over
			must(t, db.SpendNonce(t.Context(), "k", string(rune('a'+i)), until))
			change(t, db, func(tx *store.Tx) error {
				return tx.Remember(store.ClientToken{Account: account, Region: region, Operation: "o", Token: string(rune('a' + i)), Digest: []byte{1}})
			})
		}
		beside := raw(t, url)
		_, err := beside.ExecContext(t.Context(), `update client_tokens set created = 1 where token < 'd'`)
		must(t, err)
		steps := 0
		for more := true; more; steps++ {
			change(t, db, func(tx *store.Tx) (err error) {
				more, err = tx.Forget(2)
				return err
			})
		}
		var nonces, tokens int
		must(t, beside.QueryRowContext(t.Context(), `select (select count(*) from nonces), (select count(*) from client_tokens)`).Scan(&nonces, &tokens))
		if steps != 2 || nonces != 2 || tokens != 2 {
			t.Errorf("after %d steps %d nonces and %d tokens are left, want 2, 2, 2", steps, nonces, tokens)
		}
	})
}

func TestTakenKeysAreSaidSo(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		change(t, db, func(tx *store.Tx) error { return tx.AddAccount(account) })
		k := store.AccessKey{ID: "k", Account: account, Secret: "s"}
		change(t, db, func(tx *store.Tx) error { return tx.AddKey(k) })
		if err := db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error { return tx.AddKey(k) }); !errors.Is(err, store.ErrTaken) {
			t.Errorf("second AddKey = %v, want ErrTaken", err)
		}
		if err := db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error { return tx.DisableKey("x") }); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("DisableKey of an unknown key = %v, want ErrNotFound", err)
		}
		addInstances(t, db, false, "mi-1")
		err := db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error {
			return tx.AddInstance(orderly.Instance{Seq: db.NextSeq(), ID: "mi-2", PublicKey: "key-mi-1"})
		})
		if !errors.Is(err, store.ErrTaken) {
			t.Errorf("AddInstance with a known key = %v, want ErrTaken", err)
		}
	})
}
