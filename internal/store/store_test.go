package store_test

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/pgtest"
	"github.com/orderly-run/orderly/internal/store"
)

var secret = bytes.Repeat([]byte{7}, 32)

const (
	account = "1000000000000001"
	region  = "cn-hangzhou"
)

// each runs a promise on every backend.
func each(t *testing.T, promise func(t *testing.T, db *store.DB)) {
	t.Helper()
	eachURL(t, func(t *testing.T, url string) { promise(t, open(t, url)) })
}

// eachURL runs a promise on an empty database of every backend.
func eachURL(t *testing.T, promise func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { promise(t, filepath.Join(t.TempDir(), "orderly.db")) })
	t.Run("postgres", func(t *testing.T) { promise(t, pgtest.DSN(t)) })
}

func open(t *testing.T, url string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), url, store.Options{Secret: secret})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return db
}

// raw opens the same database beside the store.
func raw(t *testing.T, url string) *sql.DB {
	t.Helper()
	driver, name := "sqlite", "file:"+url+"?_pragma=busy_timeout(10000)"
	if strings.HasPrefix(url, "postgres") {
		driver, name = "pgx", url
	}
	db, err := sql.Open(driver, name)
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return db
}

// change is one interactive transaction.
func change(t *testing.T, db *store.DB, f func(*store.Tx) error) {
	t.Helper()
	must(t, db.Write(t.Context(), store.Interactive, f))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// within fails the test when done is not closed in time.
func within(t *testing.T, limit time.Duration, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("no %s within %v", what, limit)
	}
}

func TestOpenAgainKeepsWhatIsThere(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		for range 3 {
			db, err := store.Open(t.Context(), url, store.Options{Secret: secret})
			must(t, err)
			change(t, db, func(tx *store.Tx) error { return tx.AddAccount("1") })
			must(t, db.Close())
		}
		got, err := open(t, url).Accounts(t.Context())
		must(t, err)
		if !slices.Equal(got, []string{"1"}) {
			t.Errorf("Accounts = %v, want [1]", got)
		}
	})
}

func TestServersMayStartAtOnce(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				db, err := store.Open(t.Context(), url, store.Options{Secret: secret})
				if err != nil {
					t.Errorf("Open beside others = %v", err)
					return
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

func TestNewerDatabaseIsRefusedWithWords(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		db, err := store.Open(t.Context(), url, store.Options{Secret: secret})
		must(t, err)
		must(t, db.Close())
		_, err = raw(t, url).ExecContext(t.Context(), `insert into schema_version (version) values (99)`)
		must(t, err)
		_, err = store.Open(t.Context(), url, store.Options{Secret: secret})
		if err == nil || !strings.Contains(err.Error(), "newer version of Orderly") {
			t.Errorf("Open = %v, want words about a newer version", err)
		}
	})
}

// A power cut must not take back what was answered (design 2b rule 17).
func TestSQLiteSyncsFully(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "orderly.db"))
	for name, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1"} {
		if got, err := db.WritePragma(t.Context(), name); err != nil || got != want {
			t.Errorf("pragma %s = %q, %v; want %q", name, got, err, want)
		}
	}
}

// Somebody who reads the file for long, as a backup or a forgotten shell does, does not keep writers waiting while the log
// cannot be truncated.
func TestLongReaderHoldsUpNoWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orderly.db")
	db := open(t, path)
	reader, err := raw(t, path).BeginTx(t.Context(), nil)
	must(t, err)
	defer func() { must(t, reader.Rollback()) }()
	var n int
	must(t, reader.QueryRowContext(t.Context(), `select count(*) from accounts`).Scan(&n))
	for range 70 {
		change(t, db, func(tx *store.Tx) error { return tx.AddRefused("mi-1", "large", make([]byte, 1<<20)) })
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		db.Checkpoint(t.Context())
		change(t, db, func(tx *store.Tx) error { return tx.AddAccount("another") })
	}()
	within(t, 5*time.Second, done, "change beside a long reader")
}

func TestSQLiteFilesAreForTheirOwnerOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data #1 100%?")
	must(t, os.Mkdir(dir, 0o755))
	db := open(t, filepath.Join(dir, "orderly.db"))
	change(t, db, func(tx *store.Tx) error { return tx.AddAccount("1") })
	files, err := os.ReadDir(dir)
	must(t, err)
	var names []string
	for _, f := range files {
		info, err := f.Info()
		must(t, err)
		names = append(names, f.Name())
		if m := info.Mode().Perm(); m != 0o600 {
			t.Errorf("%s has mode %o, want 600", f.Name(), m)
		}
	}
	if want := []string{"orderly.db", "orderly.db-shm", "orderly.db-wal"}; !slices.Equal(names, want) {
		t.Errorf("files = %v, want %v", names, want)
	}
}

func TestClockIsTheDatabases(t *testing.T) { // CLK-1
	eachURL(t, func(t *testing.T, url string) {
		db := open(t, url)
		if off := time.Until(db.Now()).Abs(); off > time.Second {
			t.Errorf("on one machine Now is %v away", off)
		}
		if !strings.HasPrefix(url, "postgres") {
			return
		}
		var theirs float64
		must(t, raw(t, url).QueryRowContext(t.Context(), `select extract(epoch from clock_timestamp())`).Scan(&theirs))
		if off := db.Now().Sub(time.UnixMilli(int64(theirs * 1000))).Abs(); off > time.Second {
			t.Errorf("Now is %v from the database's clock", off)
		}
		must(t, db.Ready(t.Context()))
	})
}

func TestSeqsAreUniqueAndGrow(t *testing.T) { // ID-5
	each(t, func(t *testing.T, db *store.DB) {
		const workers, each = 8, 2000
		lists := make([][]int64, workers)
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for range each {
					lists[w] = append(lists[w], db.NextSeq())
				}
			})
		}
		wg.Wait()
		seen := map[int64]bool{}
		for _, list := range lists {
			if !slices.IsSorted(list) {
				t.Error("one caller's numbers do not grow")
			}
			for _, n := range list {
				seen[n] = true
			}
		}
		if len(seen) != workers*each {
			t.Errorf("%d different numbers, want %d", len(seen), workers*each)
		}
		if ms := db.NextSeq() >> 20; (db.Now().UnixMilli() - ms) > 1000 {
			t.Errorf("a number's time is %d, want about %d", ms, db.Now().UnixMilli())
		}
	})
}

func TestSharedSecretIsOneAndSealed(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		one, two := open(t, url), open(t, url)
		plain := []byte("the callout key of all servers, in words")
		made := func() ([]byte, error) { return bytes.Clone(plain), nil }
		a, err := one.Secret(t.Context(), "callout", made)
		must(t, err)
		b, err := two.Secret(t.Context(), "callout", func() ([]byte, error) { return []byte("another"), nil })
		must(t, err)
		if !bytes.Equal(a, plain) || !bytes.Equal(b, plain) {
			t.Errorf("secrets = %q, %q; want both %q", a, b, plain)
		}
		change(t, one, func(tx *store.Tx) error {
			if err := tx.AddAccount(account); err != nil {
				return err
			}
			return tx.AddKey(store.AccessKey{ID: "k", Account: account, Secret: "access key in plain words"})
		})
		for _, text := range []string{string(plain), "access key in plain words"} {
			if contains(t, url, text) {
				t.Errorf("the database holds %q in plain", text)
			}
		}
		if !contains(t, url, account) {
			t.Error("the search finds nothing at all")
		}
	})
}

// contains reports whether a text stands in the database's files, or in the tables with secrets.
func contains(t *testing.T, url, text string) bool {
	t.Helper()
	if !strings.HasPrefix(url, "postgres") {
		for _, suffix := range []string{"", "-wal"} {
			data, err := os.ReadFile(url + suffix)
			must(t, err)
			if bytes.Contains(data, []byte(text)) {
				return true
			}
		}
		return false
	}
	var n int
	must(t, raw(t, url).QueryRowContext(t.Context(), `select (select count(*) from secrets where position($1::bytea in sealed) > 0)
		+ (select count(*) from access_keys where position($1::bytea in secret) > 0 or account = $2)`, []byte(text), text).Scan(&n))
	return n > 0
}

func TestServersAtOnceShareOneSecret(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		var mu sync.Mutex
		got := map[string]int{}
		var wg sync.WaitGroup
		for i := range 6 {
			db := open(t, url)
			wg.Go(func() {
				s, err := db.Secret(t.Context(), "x", func() ([]byte, error) { return []byte{byte(i)}, nil })
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				got[string(s)]++
			})
		}
		wg.Wait()
		if len(got) != 1 {
			t.Errorf("%d different secrets, want 1", len(got))
		}
	})
}

func TestWrongSecretFileIsSaidSo(t *testing.T) {
	eachURL(t, func(t *testing.T, url string) {
		_, err := open(t, url).Secret(t.Context(), "x", func() ([]byte, error) { return []byte("y"), nil })
		must(t, err)
		other, err := store.Open(t.Context(), url, store.Options{Secret: bytes.Repeat([]byte{8}, 32)})
		must(t, err)
		defer func() { must(t, other.Close()) }()
		if _, err := other.Secret(t.Context(), "x", nil); err == nil || !strings.Contains(err.Error(), "is this the secret file") {
			t.Errorf("Secret = %v, want words about the secret file", err)
		}
		if _, err := store.Open(t.Context(), url, store.Options{Secret: []byte("short")}); err == nil {
			t.Error("a secret of 5 bytes is taken")
		}
	})
}

func TestSealedTextOpensHereOnly(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		sealed := db.Seal([]byte("the code"))
		if plain, err := db.Unseal(sealed); err != nil || string(plain) != "the code" {
			t.Errorf("Unseal = %q, %v", plain, err)
		}
		changed := []byte(sealed)
		changed[20] ^= 1
		if _, err := db.Unseal(string(changed)); err == nil {
			t.Error("an altered text opens")
		}
	})
}

// addInstances registers instances named by their IDs, each with a link and a boot when it is
// linked.
func addInstances(t *testing.T, db *store.DB, linked bool, ids ...string) {
	t.Helper()
	change(t, db, func(tx *store.Tx) error {
		var links []store.Link
		for _, id := range ids {
			i := orderly.Instance{Seq: db.NextSeq(), ID: id, Account: account, Region: region, Name: "name-" + id, OS: orderly.Linux,
				PublicKey: "key-" + id, Activation: "act", Registered: tx.Now}
			if err := tx.AddInstance(i); err != nil {
				return err
			}
			links = append(links, store.Link{Instance: id, ID: "link-" + id, Boot: orderly.Boot{Incarnation: "inc", ID: "boot"}})
		}
		if !linked {
			return nil
		}
		return tx.Linked(links)
	})
}

// addInvocation stores an invocation with Pending tasks on instances and shows it.
func addInvocation(t *testing.T, db *store.DB, instances []string, edit func(*orderly.Invocation)) orderly.Invocation {
	t.Helper()
	var v orderly.Invocation
	change(t, db, func(tx *store.Tx) error {
		seq := db.NextSeq()
		v = orderly.Invocation{Seq: seq, ID: orderly.NewID("t", region, seq), Account: account, Region: region, Repeat: orderly.Once,
			Command:     orderly.Command{ID: "c-1", Name: "n", Type: orderly.RunShellScript, Content: []byte("true"), Timeout: time.Minute},
			Termination: orderly.KillProcess, Delivery: time.Minute, Size: len(instances), Created: tx.Now}
		if edit != nil {
			edit(&v)
		}
		if err := tx.AddInvocation(v); err != nil {
			return err
		}
		var tasks []orderly.Task
		for n, id := range instances {
			k := orderly.NewTask(&v, n, id, tx.Now)
			k.Await(v.Plan(), orderly.DefaultLimits)
			tasks = append(tasks, k)
		}
		if err := tx.AddTasks(tasks); err != nil {
			return err
		}
		return tx.Built(seq, orderly.Counts{Pending: len(instances)}, v.Repeat, tasks[0].Due)
	})
	return v
}
