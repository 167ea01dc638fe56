package proc_test

import (
	"testing"
	"time"

	"github.com/orderly-run/orderly/internal/proc"
)

func start(t testing.TB, spec proc.Spec) *proc.Process {
	t.Helper()
	p, err := proc.Start(spec)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() { p.Stop(); p.Wait() })
	return p
}

func wait(t testing.TB, p *proc.Process) proc.Result {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(patience):
		t.Fatal("the process does not end")
	}
	r := p.Wait()
	if r.Err != nil {
		t.Fatalf("Wait: %v", r.Err)
	}
	return r
}

// eventually waits until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
	}
}

func output(p *proc.Process) string {
	data, _ := p.Output()
	return string(data)
}

func startError(spec proc.Spec) error {
	_, err := proc.Start(spec)
	return err
}
