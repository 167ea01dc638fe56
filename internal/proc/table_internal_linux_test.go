package proc

import (
	"os"
	"strconv"
	"testing"
)

// The thread of a process is not signalled, which is no error, by whatever name the kernel refuses it.
func TestThreadsAreNotSignalled(t *testing.T) {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range threads {
		id, err := strconv.Atoi(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if id == os.Getpid() {
			continue
		}
		if err := (process{pid: id}).signal(0); err != nil {
			t.Errorf("thread %d: %v", id, err)
		}
	}
}
