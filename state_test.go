package orderly_test

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
)

var update = flag.Bool("update", false, "write the files that tests compare with")

// lifeOfATask is semantics 4.2, each row once more as "rule: from > to", with nothing of ours. T1
// makes a task and has no state before it. REL-1 stands below the table there.
var lifeOfATask = []string{
	"T2: Pending > Invalid",
	"T3: Pending > Aborted",
	"T4: Pending > Aborted",
	"T5: Pending > Running",
	"T6: Pending > Scheduled",
	"T7: Scheduled > Running",
	"T8: Running > Success",
	"T9: Running > Failed",
	"T10: Running > Timeout",
	"T11: Running > Error",
	"T11: Pending > Error",
	"T12: Pending > Cancelled",
	"T13: Scheduled > Cancelled",
	"T14: Scheduled > Stopping",
	"T15: Running > Stopping",
	"T15: Pending > Stopping",
	"T16: Stopping > Terminated",
	"T17: Stopping > Success",
	"T17: Stopping > Failed",
	"T17: Stopping > Error",
	"T17: Stopping > Invalid",
	"T18: Stopping > Error",
	"T19: Running > Scheduled",
	"T20: Stopping > Timeout",
	"T21: Stopping > Cancelled",
	"T22: Pending > Success",
	"T22: Pending > Failed",
	"T22: Pending > Timeout",
	"T22: Scheduled > Success",
	"T22: Scheduled > Failed",
	"T22: Scheduled > Timeout",
	"T22: Scheduled > Error",
	"T23: Scheduled > Invalid",
	"REL-1: Scheduled > Aborted",
}

// ST-1.
func TestTransitionsAreTheSpecifiedOnes(t *testing.T) {
	var got []string
	for _, tr := range orderly.Transitions {
		for rule := range strings.SplitSeq(tr.Rule, ", ") {
			got = append(got, rule+": "+string(tr.From)+" > "+string(tr.To))
		}
	}
	want := slices.Sorted(slices.Values(lifeOfATask))
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(got))); diff != "" {
		t.Errorf("transitions (-specified +ours):\n%s", diff)
	}
}

func TestNextFollowsTheTable(t *testing.T) {
	rows := 0
	for _, tr := range orderly.Transitions {
		if to, ok := tr.From.Next(tr.Event); !ok || to != tr.To {
			t.Errorf("%s.Next(%s) = %s, %t, want %s", tr.From, tr.Event, to, ok, tr.To)
		}
		for _, other := range orderly.Transitions {
			if other.From == tr.From && other.Event == tr.Event {
				rows++
			}
		}
	}
	if rows != len(orderly.Transitions) {
		t.Errorf("two rows have the same state and event")
	}
}

func TestTerminalStatesHaveNoWayOut(t *testing.T) {
	for _, s := range orderly.States {
		out := slices.ContainsFunc(orderly.Transitions, func(tr orderly.Transition) bool { return tr.From == s })
		if out != s.Live() {
			t.Errorf("%s: has a way out = %t, live = %t", s, out, s.Live())
		}
	}
	if to, ok := orderly.Success.Next(orderly.Stop); ok || to != orderly.Success && to != "" {
		t.Errorf("Success.Next(Stop) = %s, %t", to, ok)
	}
}

// reach is every state that a task can get to from s.
func reach(s orderly.State) []orderly.State {
	found := []orderly.State{s}
	for i := 0; i < len(found); i++ {
		for _, tr := range orderly.Transitions {
			if tr.From == found[i] && !slices.Contains(found, tr.To) {
				found = append(found, tr.To)
			}
		}
	}
	return found
}

func TestEveryStateIsReachedAndEnds(t *testing.T) {
	fromStart := reach(orderly.Pending)
	for _, s := range orderly.States {
		if !slices.Contains(fromStart, s) {
			t.Errorf("no way leads from Pending to %s", s)
		}
		if ends := slices.ContainsFunc(reach(s), func(r orderly.State) bool { return !r.Live() }); !ends {
			t.Errorf("no way leads from %s to an end", s)
		}
	}
}

func TestParseState(t *testing.T) {
	for _, s := range orderly.States {
		if got, ok := orderly.ParseState(string(s)); !ok || got != s {
			t.Errorf("ParseState(%q) = %s, %t", s, got, ok)
		}
	}
	for _, s := range []string{"", "pending", "Stopped", "Pending "} {
		if _, ok := orderly.ParseState(s); ok {
			t.Errorf("ParseState(%q) is a state", s)
		}
	}
}

func TestStatesDocument(t *testing.T) {
	var got bytes.Buffer
	if err := orderly.PrintStates(&got); err != nil {
		t.Fatal(err)
	}
	const file = "docs/states.md"
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: write it with: make states", err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s is not what the table says; write it with: make states\n%s", file, diff)
	}
}
