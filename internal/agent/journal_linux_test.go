package agent_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/orderly-run/orderly/internal/agent"
)

// A full disk refuses records; it does not harm those before or after.
func TestJournalOnFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("needs to mount a small disk: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(dir, 0)) })
	path, ballast := filepath.Join(dir, "journal"), filepath.Join(dir, "ballast")
	j := open(t, path, boot)
	must(t, os.WriteFile(ballast, make([]byte, 16<<10), 0o600))

	want := map[agent.Occurrence]known{}
	add := func(seq int64, size int) error {
		job := bytes.Repeat([]byte("j"), size)
		err := j.Got(occ(seq), job)
		if err == nil {
			want[occ(seq)] = known{Job: string(job), Task: agent.Task{Key: occ(seq), Phase: agent.Got}}
		}
		return err
	}
	seq := int64(1)
	for ; add(seq, 5000) == nil; seq++ {
	}
	if seq > 20 {
		t.Fatalf("%d records fit on a small disk", seq)
	}
	if diff := cmp.Diff(want, contents(t, j)); diff != "" {
		t.Errorf("known on the full disk (-want +got):\n%s", diff)
	}
	if err := j.Compact(); err == nil {
		t.Error("a compaction fits on the full disk")
	}
	must(t, os.Remove(ballast))
	must(t, add(seq, 6000))
	must(t, j.Close())
	j = open(t, path, boot)
	if diff := cmp.Diff(want, contents(t, j)); diff != "" {
		t.Errorf("known after reopening (-want +got):\n%s", diff)
	}
	must(t, j.Close())
}
