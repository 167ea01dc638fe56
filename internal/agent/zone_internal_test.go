//go:build unix

package agent

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/wire"
)

// setZone sets the zone of a machine, as administrators do.
func setZone(t *testing.T, root, name string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("/usr/share/zoneinfo", name))
	if err != nil {
		t.Skipf("this system has no zones: %v", err)
	}
	path := filepath.Join(root, "etc", "localtime")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// EX-9: when the machine is given another zone, its schedules follow within a look at the clock; those
// with a zone of their own do not.
func TestSchedulesFollowTheMachinesZone(t *testing.T) {
	root := t.TempDir()
	setZone(t, root, "Asia/Shanghai")
	if err := os.Unsetenv("TZ"); err != nil { // which is for one process
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) { // it is midnight UTC
		f := newFake(t)
		f.start()
		f.do(func(a *Agent) { a.zone = newZone(root) })
		f.hand(1, wire.Plan{Mode: orderly.Period, Frequency: "0 0 9 * * ?"}, "true")
		f.hand(2, wire.Plan{Mode: orderly.Period, Frequency: "0 0 9 * * ? UTC"}, "true")
		f.expect("at first", "0 Pending", "0 Pending")
		f.sleep(time.Hour)
		f.expect("at nine in Shanghai", "1 Success")
		setZone(t, root, "Asia/Tokyo")
		f.sleep(24*time.Hour - time.Hour)
		f.expect("a day later, at nine in Tokyo", "1 Success", "2 Success")
		setZone(t, root, "America/New_York") // 14:00 UTC in winter
		f.sleep(14*time.Hour - time.Second)
		f.expect("before nine in New York", "2 Success")
		f.sleep(2 * time.Second)
		f.expect("at nine in New York", "3 Success")
		if err := os.WriteFile(filepath.Join(root, "etc", "localtime"), []byte("nonsense"), 0o644); err != nil {
			t.Fatal(err)
		}
		f.sleep(24 * time.Hour)
		f.expect("with a zone that cannot be read", "3 Success", "4 Success")
		if err := os.Remove(filepath.Join(root, "etc", "localtime")); err != nil {
			t.Fatal(err)
		}
		f.sleep(19 * time.Hour)
		got := f.told()
		slices.Sort(got) // both at the same time
		if want := []string{"4 Success", "5 Success"}; !slices.Equal(got, want) {
			t.Errorf("without a zone, at nine UTC, told %q, want %q", got, want)
		}
		f.stop()
	})
}
