package store_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/orderly-run/orderly/internal/store"
)

// A backup that is made while the database is written to holds all of a moment, and is whole when it has its name.
func TestBackupOfADatabaseInUse(t *testing.T) {
	dir := t.TempDir()
	url := filepath.Join(dir, "orderly.db")
	db := open(t, url)
	stop, done := make(chan struct{}), make(chan int)
	begun := make(chan struct{})
	go func() { // pairs of accounts, each in one transaction
		n := 0
		for ; ; n++ {
			select {
			case <-stop:
				done <- n
				return
			default:
			}
			err := db.Write(t.Context(), store.Mass, func(tx *store.Tx) error {
				if err := tx.AddAccount("a" + strconv.Itoa(n)); err != nil {
					return err
				}
				return tx.AddAccount("b" + strconv.Itoa(n))
			})
			if err != nil {
				t.Error(err)
			}
			if n == 0 {
				close(begun)
			}
		}
	}()
	<-begun
	for i := range 3 {
		file := filepath.Join(dir, "copy "+strconv.Itoa(i)+"?.db")
		must(t, store.Backup(t.Context(), "sqlite:"+url, file))
		info, err := os.Stat(file)
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, want 0600", info.Mode())
		}
		accounts, err := open(t, file).Accounts(t.Context())
		must(t, err)
		if len(accounts) == 0 || len(accounts)%2 != 0 {
			t.Errorf("%d accounts in the copy, want pairs", len(accounts))
		}
	}
	close(stop)
	<-done
}

// Nothing is replaced, and nothing half done is left.
func TestBackupLeavesNothingHalfDone(t *testing.T) {
	dir := t.TempDir()
	url, taken := filepath.Join(dir, "orderly.db"), filepath.Join(dir, "taken")
	must(t, open(t, url).Close())
	must(t, os.WriteFile(taken, []byte("mine"), 0o600))
	empty := filepath.Join(dir, "empty.db")
	must(t, os.WriteFile(empty, nil, 0o600))
	for name, err := range map[string]error{
		"onto a file":       store.Backup(t.Context(), url, taken),
		"into no directory": store.Backup(t.Context(), url, filepath.Join(dir, "none", "copy")),
		"of nothing":        store.Backup(t.Context(), filepath.Join(dir, "absent.db"), filepath.Join(dir, "copy")),
		"of no database":    store.Backup(t.Context(), taken, filepath.Join(dir, "copy")),
		"of an empty one":   store.Backup(t.Context(), empty, filepath.Join(dir, "copy")),
		"back onto a file":  back(t, taken, url),
		"back from nothing": back(t, filepath.Join(dir, "absent"), filepath.Join(dir, "back.db")),
		"back from no copy": back(t, taken, filepath.Join(dir, "back.db")),
		"back beside a log": back(t, url, withFile(t, filepath.Join(dir, "back.db"), "-wal")),
		"back from a used":  back(t, withFile(t, filepath.Join(dir, "used"), "-wal"), filepath.Join(dir, "other.db")),
	} {
		if err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
	files, err := os.ReadDir(dir)
	must(t, err)
	for _, f := range files {
		if n := f.Name(); strings.Contains(n, "part") || n == "copy" || n == "back.db" || n == "other.db" || n == "absent.db" {
			t.Errorf("%s is left", n)
		}
	}
	if text, err := os.ReadFile(taken); err != nil || string(text) != "mine" {
		t.Errorf("a file of others holds %q, %v", text, err)
	}
}

func back(t *testing.T, file, url string) error {
	_, err := store.PutBack(t.Context(), file, url, store.Options{Secret: secret})
	return err
}

// withFile makes a file beside another.
func withFile(t *testing.T, path, suffix string) string {
	t.Helper()
	must(t, os.WriteFile(path+suffix, []byte("log"), 0o600))
	return path
}

// Whoever makes a backup his database without saying so sends nothing of it either.
func TestBackupKnowsThatItIsOne(t *testing.T) {
	dir := t.TempDir()
	l := lose(t, filepath.Join(dir, "orderly.db"))
	file := filepath.Join(dir, "copy")
	must(t, store.Backup(t.Context(), l.url, file))
	l.db = open(t, file)
	l.check(t, raw(t, file))
	if n := count(t, raw(t, l.url), `select count(*) from tasks where incarnation = '*'`); n != 0 {
		t.Errorf("%d tasks of the database that was copied are asked about", n)
	}
	old := filepath.Join(dir, "old.db")
	before(t, raw(t, old), "011")
	must(t, store.Backup(t.Context(), old, filepath.Join(dir, "of an old one")))
}

// What is put back is all that was there, of the next generation, and one file.
func TestBackupIsPutBack(t *testing.T) {
	dir := t.TempDir()
	l := lose(t, filepath.Join(dir, "orderly.db"))
	file, url := filepath.Join(dir, "copy"), filepath.Join(dir, "back.db")
	must(t, store.Backup(t.Context(), l.url, file))
	got, err := store.PutBack(t.Context(), file, url, store.Options{Secret: secret})
	must(t, err)
	if want := (store.Restoration{Generation: 2, Tasks: l.live, Machines: 1100}); got != want {
		t.Errorf("PutBack = %+v, want %+v", got, want)
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if _, err := os.Stat(url + suffix); err == nil {
			t.Errorf("there is a log beside it: %s", suffix)
		}
	}
	beside := raw(t, url)
	l.db = open(t, url)
	l.check(t, beside)
	if n := count(t, raw(t, l.url), `select number from generation`); n != 1 {
		t.Errorf("the database that was copied has generation %d, want 1", n)
	}
}
