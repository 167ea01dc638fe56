package orderly_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/orderly-run/orderly"
)

// A share is what an aggregate knows of one task.
type share struct {
	state   orderly.State
	stopped bool // StopInvocation was called on it
}

// sum is the counts of several tasks.
func sum(shares []share) orderly.Counts {
	var c orderly.Counts
	for _, s := range shares {
		c = c.Add(orderly.Count(s.state, s.stopped))
	}
	return c
}

// parse reads "Success, Failed!": a "!" marks a task that was stopped. Stopping, Cancelled and
// Terminated come from a stop anyway.
func parse(t *testing.T, text string) []share {
	t.Helper()
	var shares []share
	for word := range strings.SplitSeq(text, ", ") {
		name, stopped := strings.CutSuffix(word, "!")
		s, ok := orderly.ParseState(name)
		if !ok {
			t.Fatalf("no state %q", name)
		}
		stopped = stopped || s == orderly.Stopping || s == orderly.Cancelled || s == orderly.Terminated
		shares = append(shares, share{s, stopped})
	}
	return shares
}

func TestInvocationStatus(t *testing.T) {
	tests := []struct {
		rule, tasks string
		want        orderly.Status
	}{
		{"5.3 row 1", "Pending", orderly.StatusPending},
		{"5.3 row 1", "Pending, Running", orderly.StatusPending},
		{"5.3 row 1", "Pending, Success", orderly.StatusPending},
		{"5.3 row 1", "Failed, Pending", orderly.StatusPending},
		{"5.3 row 1, AG-1", "Stopping, Running, Scheduled, Pending", orderly.StatusPending},
		{"5.3 row 2", "Scheduled", orderly.StatusScheduled},
		{"5.3 row 2, AG-1", "Running, Stopping, Scheduled, Failed", orderly.StatusScheduled},
		{"5.3 row 3", "Success, Running", orderly.StatusRunning},
		{"5.3 row 3", "Failed, Running", orderly.StatusRunning},
		{"5.3 row 3, AG-1", "Stopping, Running", orderly.StatusRunning},
		{"5.3 row 4", "Stopping", orderly.StatusStopping},
		{"5.3 row 4", "Stopping, Terminated, Success, Failed", orderly.StatusStopping},
		{"5.3 row 5", "Cancelled", orderly.StatusStopped},
		{"5.3 row 5, AG-2", "Cancelled, Terminated", orderly.StatusStopped},
		{"5.3 row 6", "Success", orderly.StatusSuccess},
		{"5.3 row 6, AG-3", "Success, Terminated", orderly.StatusSuccess},
		{"5.3 row 6, AG-3", "Success, Cancelled, Success", orderly.StatusSuccess},
		{"5.3 row 7", "Failed", orderly.StatusFailed},
		{"5.3 row 7", "Timeout, Cancelled", orderly.StatusFailed},
		{"5.3 row 7", "Aborted, Invalid", orderly.StatusFailed},
		{"5.3 row 7", "Error, Terminated", orderly.StatusFailed},
		{"5.3 row 8", "Success, Failed", orderly.StatusPartialFailed},
		{"5.3 row 8", "Success, Timeout, Terminated", orderly.StatusPartialFailed},
		{"5.3 row 8", "Success, Error", orderly.StatusPartialFailed},
		{"5.3 row 8", "Success, Invalid", orderly.StatusPartialFailed},
		{"5.3 row 8", "Success, Aborted, Cancelled", orderly.StatusPartialFailed},
	}
	for _, tt := range tests {
		t.Run(tt.rule+"/"+tt.tasks, func(t *testing.T) {
			if got := sum(parse(t, tt.tasks)).Status(); got != tt.want {
				t.Errorf("Status = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestLegacyStatusOfOneTask(t *testing.T) {
	tests := []struct {
		rule    string
		mode    orderly.RepeatMode
		state   orderly.State
		stopped bool
		want    orderly.LegacyStatus
	}{
		{"LG-1", orderly.Once, orderly.Pending, false, orderly.LegacyRunning},
		{"LG-1", orderly.Once, orderly.Running, false, orderly.LegacyRunning},
		{"LG-1", orderly.Once, orderly.Scheduled, false, orderly.LegacyRunning},
		{"LG-1", orderly.Once, orderly.Stopping, true, orderly.LegacyStopping},
		{"LG-1", orderly.Once, orderly.Success, false, orderly.LegacyFinished},
		{"LG-1", orderly.Once, orderly.Failed, false, orderly.LegacyFinished},
		{"LG-1, T17", orderly.Once, orderly.Failed, true, orderly.LegacyFinished},
		{"LG-1", orderly.Once, orderly.Timeout, false, orderly.LegacyFailed},
		{"LG-1", orderly.Once, orderly.Error, false, orderly.LegacyFailed},
		{"LG-1", orderly.Once, orderly.Invalid, false, orderly.LegacyFailed},
		{"LG-1", orderly.Once, orderly.Aborted, false, orderly.LegacyFailed},
		{"LG-1", orderly.Once, orderly.Cancelled, true, orderly.LegacyStopped},
		{"LG-1", orderly.Once, orderly.Terminated, true, orderly.LegacyStopped},
		{"LG-1", orderly.DryRun, orderly.Success, false, orderly.LegacyFinished},
		{"LG-2", orderly.Period, orderly.Pending, false, orderly.LegacyRunning},
		{"LG-2", orderly.EveryReboot, orderly.Scheduled, false, orderly.LegacyRunning},
		{"LG-2", orderly.NextRebootOnly, orderly.Running, false, orderly.LegacyRunning},
		{"LG-2", orderly.Period, orderly.Stopping, true, orderly.LegacyStopping},
		{"LG-2, SC-6", orderly.NextRebootOnly, orderly.Success, false, orderly.LegacyRunning},
		{"LG-2, SC-6", orderly.Period, orderly.Failed, false, orderly.LegacyRunning},
		{"LG-2", orderly.Period, orderly.Invalid, false, orderly.LegacyRunning},
		{"LG-2", orderly.Period, orderly.Aborted, false, orderly.LegacyRunning},
		{"LG-2, T18", orderly.Period, orderly.Error, true, orderly.LegacyStopped},
		{"LG-2, T17", orderly.NextRebootOnly, orderly.Success, true, orderly.LegacyStopped},
		{"LG-2, T20", orderly.NextRebootOnly, orderly.Timeout, true, orderly.LegacyStopped},
		{"LG-2", orderly.EveryReboot, orderly.Terminated, true, orderly.LegacyStopped},
		{"LG-2", orderly.Period, orderly.Cancelled, true, orderly.LegacyStopped},
	}
	for _, tt := range tests {
		t.Run(tt.rule+"/"+string(tt.mode)+" "+string(tt.state), func(t *testing.T) {
			if got := tt.state.LegacyStatus(tt.mode, tt.stopped); got != tt.want {
				t.Errorf("LegacyStatus = %s, want %s", got, tt.want)
			}
		})
	}
}

// The rows of semantics 5.5, LG-3; "!" marks a task that ended after a stop in another way than by it.
func TestBothStatusesTogether(t *testing.T) {
	tests := []struct {
		rule   string
		tasks  string
		mode   orderly.RepeatMode
		status orderly.Status
		legacy orderly.LegacyStatus
	}{
		{"5.5 row 1", "Pending", orderly.Once, "Pending", "Running"},
		{"5.5 row 2", "Pending, Success", orderly.Once, "Pending", "Running"},
		{"5.5 row 3", "Running, Success", orderly.Once, "Running", "Running"},
		{"5.5 row 4", "Running, Failed", orderly.Once, "Running", "Running"},
		{"5.5 row 5", "Running, Stopping", orderly.Once, "Running", "Running"},
		{"5.5 row 6", "Stopping, Success", orderly.Once, "Stopping", "Stopping"},
		{"5.5 row 7", "Stopping, Terminated", orderly.Once, "Stopping", "Stopping"},
		{"5.5 row 8", "Success", orderly.Once, "Success", "Finished"},
		{"5.5 row 9", "Success, Success", orderly.Once, "Success", "Finished"},
		{"5.5 row 10", "Success, Terminated", orderly.Once, "Success", "Finished"},
		{"5.5 row 11", "Success, Cancelled", orderly.Once, "Success", "Finished"},
		{"5.5 row 12", "Failed", orderly.Once, "Failed", "Finished"},
		{"5.5 row 13", "Failed, Failed", orderly.Once, "Failed", "Finished"},
		{"5.5 row 14", "Failed, Terminated", orderly.Once, "Failed", "Finished"},
		{"5.5 row 15", "Failed, Success", orderly.Once, "PartialFailed", "Finished"},
		{"5.5 row 16", "Failed, Timeout", orderly.Once, "Failed", "PartialFailed"},
		{"5.5 row 17", "Timeout", orderly.Once, "Failed", "Failed"},
		{"5.5 row 18", "Aborted, Invalid", orderly.Once, "Failed", "Failed"},
		{"5.5 row 19", "Aborted, Cancelled", orderly.Once, "Failed", "Failed"},
		{"5.5 row 20", "Timeout, Success", orderly.Once, "PartialFailed", "PartialFailed"},
		{"5.5 row 21", "Aborted, Failed, Success, Terminated", orderly.Once, "PartialFailed", "PartialFailed"},
		{"5.5 row 22", "Cancelled", orderly.Once, "Stopped", "Stopped"},
		{"5.5 row 23", "Cancelled, Terminated", orderly.Once, "Stopped", "Stopped"},
		{"5.5 row 24", "Scheduled", orderly.Period, "Scheduled", "Running"},
		{"5.5 row 25", "Scheduled, Running", orderly.Period, "Scheduled", "Running"},
		{"5.5 row 26", "Scheduled, Terminated", orderly.Period, "Scheduled", "Running"},
		{"5.5 row 27", "Scheduled, Aborted", orderly.Period, "Scheduled", "Running"},
		{"5.5 row 28", "Stopping, Scheduled", orderly.Period, "Scheduled", "Running"},
		{"5.5 row 29", "Stopping", orderly.Period, "Stopping", "Stopping"},
		{"5.5 row 30", "Terminated, Cancelled", orderly.Period, "Stopped", "Stopped"},
		{"5.5 row 31", "Success", orderly.Period, "Success", "Running"},
		{"5.5 row 32", "Success, Failed", orderly.Period, "PartialFailed", "Running"},
		{"5.5 row 33", "Aborted", orderly.Period, "Failed", "Running"},
		{"5.5 row 33", "Invalid", orderly.Period, "Failed", "Running"},
		{"5.5 row 34", "Success, Terminated", orderly.Period, "Success", "Running"},
		{"5.5 row 35", "Error!", orderly.Period, "Failed", "Stopped"},
	}
	for _, tt := range tests {
		t.Run(tt.rule+"/"+string(tt.mode)+"/"+tt.tasks, func(t *testing.T) {
			inv := orderly.Invocation{Repeat: tt.mode, Counts: sum(parse(t, tt.tasks))}
			if inv.Status() != tt.status || inv.LegacyStatus() != tt.legacy {
				t.Errorf("statuses = %s, %s, want %s, %s", inv.Status(), inv.LegacyStatus(), tt.status, tt.legacy)
			}
		})
	}
}

// A bag answers the questions of the texts about the tasks of an invocation, by looking at each.
type bag []share

func (b bag) any(in ...orderly.State) bool {
	return slices.ContainsFunc(b, func(s share) bool { return slices.Contains(in, s.state) })
}

func (b bag) all(in ...orderly.State) bool {
	return !slices.ContainsFunc(b, func(s share) bool { return !slices.Contains(in, s.state) })
}

// The classes of semantics 5.1.
var (
	classF  = []orderly.State{orderly.Invalid, orderly.Aborted, orderly.Failed, orderly.Timeout, orderly.Error}
	classT  = []orderly.State{orderly.Cancelled, orderly.Terminated}
	classST = append([]orderly.State{orderly.Success}, classT...)
	classFT = append(slices.Clone(classF), classT...)
)

// status is the text of semantics 5.2 "rule here", each row with its own condition.
func (b bag) status() []orderly.Status {
	P, C, R, G := b.any(orderly.Pending), b.any(orderly.Scheduled), b.any(orderly.Running), b.any(orderly.Stopping)
	live := P || C || R || G
	var match []orderly.Status
	for status, holds := range map[orderly.Status]bool{
		"Pending":       P,
		"Scheduled":     C && !P,
		"Running":       R && !P && !C,
		"Stopping":      G && !P && !C && !R,
		"Success":       b.all(classST...) && b.any(orderly.Success),
		"Failed":        b.all(classFT...) && b.any(classF...),
		"Stopped":       b.all(classT...),
		"PartialFailed": b.any(orderly.Success) && b.any(classF...) && !live,
	} {
		if holds {
			match = append(match, status)
		}
	}
	return match
}

// legacy is LG-3 over the values that LG-1 or LG-2 gives each task.
func (b bag) legacy(repeats bool) orderly.LegacyStatus {
	count := map[orderly.LegacyStatus]int{}
	for _, s := range b {
		count[s.legacy(repeats)]++
	}
	all := func(values ...orderly.LegacyStatus) bool {
		n := 0
		for _, v := range values {
			n += count[v]
		}
		return n == len(b)
	}
	switch {
	case count["Running"] > 0:
		return "Running"
	case count["Stopping"] > 0:
		return "Stopping"
	case all("Stopped"):
		return "Stopped"
	case all("Failed", "Stopped"):
		return "Failed"
	case all("Finished", "Stopped"):
		return "Finished"
	}
	return "PartialFailed"
}

func (s share) legacy(repeats bool) orderly.LegacyStatus {
	switch {
	case s.state == orderly.Stopping:
		return "Stopping"
	case repeats && s.stopped && !s.state.Live():
		return "Stopped"
	case repeats || s.state.Live():
		return "Running"
	case s.state == orderly.Success || s.state == orderly.Failed:
		return "Finished"
	case slices.Contains(classT, s.state):
		return "Stopped"
	}
	return "Failed"
}

// shares draws tasks that can exist: a stop leads to Stopping, and Cancelled and Terminated come
// from one.
func shares() *rapid.Generator[[]share] {
	one := rapid.Custom(func(t *rapid.T) share {
		s := rapid.SampledFrom(orderly.States).Draw(t, "state")
		switch {
		case s == orderly.Stopping || slices.Contains(classT, s):
			return share{s, true}
		case s.Live():
			return share{s, false}
		}
		return share{s, rapid.Bool().Draw(t, "stopped")}
	})
	return rapid.SliceOfN(one, 1, 8)
}

func TestAggregatesAreWhatTheTextSays(t *testing.T) {
	published := []orderly.Status{"Pending", "Scheduled", "Running", "Stopping", "Stopped", "Success", "Failed", "PartialFailed"}
	legacies := []orderly.LegacyStatus{"Running", "Stopping", "Stopped", "Failed", "Finished", "PartialFailed"}
	rapid.Check(t, func(t *rapid.T) {
		tasks := shares().Draw(t, "tasks")
		mode := rapid.SampledFrom([]orderly.RepeatMode{"Once", "Period", "NextRebootOnly", "EveryReboot", "DryRun"}).Draw(t, "mode")
		c := sum(tasks)
		if got, want := c.Status(), bag(tasks).status(); len(want) != 1 || got != want[0] || !slices.Contains(published, got) {
			t.Errorf("Status of %v = %s, want %s", tasks, got, want)
		}
		got, want := c.LegacyStatus(mode), bag(tasks).legacy(mode.Repeats())
		if got != want || !slices.Contains(legacies, got) {
			t.Errorf("LegacyStatus of %v = %s, want %s", tasks, got, want)
		}
		shuffled := rapid.Permutation(tasks).Draw(t, "shuffled")
		if d := sum(shuffled); d.Status() != c.Status() || d.LegacyStatus(mode) != c.LegacyStatus(mode) {
			t.Errorf("order matters: %v and %v", tasks, shuffled)
		}
		if c.Total() != len(tasks) {
			t.Errorf("Total = %d, want %d", c.Total(), len(tasks))
		}
	})
}

// A stored counter moves by the difference that each change makes; it must say what counting
// afresh says.
func TestKeptCountersStayTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tasks := make([]share, rapid.IntRange(1, 6).Draw(t, "size"))
		var kept orderly.Counts
		for i := range tasks {
			tasks[i] = share{orderly.Pending, false}
			kept = kept.Add(orderly.Count(orderly.Pending, false))
		}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			i := rapid.IntRange(0, len(tasks)-1).Draw(t, "task")
			tr := rapid.SampledFrom(orderly.Transitions).Draw(t, "transition")
			before := tasks[i]
			if tr.From != before.state {
				continue
			}
			stops := tr.Event == orderly.Stop || tr.Event == orderly.Cancel
			tasks[i] = share{tr.To, before.stopped || stops}
			delta := orderly.Count(tr.To, tasks[i].stopped).Sub(orderly.Count(before.state, before.stopped))
			kept = kept.Add(delta)
		}
		if fresh := sum(tasks); kept != fresh {
			t.Fatalf("kept %+v, counted %+v", kept, fresh)
		}
		if got, want := kept.Status(), bag(tasks).status(); len(want) != 1 || got != want[0] {
			t.Errorf("Status of %v = %s, want %s", tasks, got, want)
		}
		for _, mode := range []orderly.RepeatMode{orderly.Once, orderly.Period} {
			if got, want := kept.LegacyStatus(mode), bag(tasks).legacy(mode.Repeats()); got != want {
				t.Errorf("LegacyStatus(%s) of %v = %s, want %s", mode, tasks, got, want)
			}
		}
	})
}
