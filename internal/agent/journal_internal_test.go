package agent

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/orderly-run/orderly"
)

// A disk that is so full that not even the torn end of a write can be cut off, as some file systems are, may have
// room again: the journal goes on then, without a new start of the agent, and what came after is there at the next.
func TestJournalGoesOnWhenItsEndCanBeCutAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, err := OpenJournal(path, "boot")
	if err != nil {
		t.Fatal(err)
	}
	o := func(n int64) Occurrence { return Occurrence{TaskKey: orderly.TaskKey{Invocation: n}} }
	fixed, err := os.Open(path) // nothing can be written to it, nor cut off
	if err != nil {
		t.Fatal(err)
	}
	whole := j.file
	j.file = fixed
	if err := j.Got(o(1), []byte("{}")); err == nil {
		t.Fatal("a record was written to a file that takes none")
	}
	j.file = whole
	if err := fixed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Got(o(2), []byte("{}")); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if j, err = OpenJournal(path, "boot"); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	if tasks := j.Tasks(); len(tasks) != 1 || tasks[0].Key != o(2) {
		t.Errorf("the journal has %+v, want the second task", tasks)
	}
}
