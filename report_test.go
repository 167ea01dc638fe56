package orderly_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
)

func TestReportsAreAppliedByNumber(t *testing.T) { // REP-1, REP-2
	running := func(n int64, out string, offset int64) orderly.Report {
		return orderly.Report{Number: n, State: orderly.Running, Started: at(1), Output: []byte(out), Offset: offset}
	}
	task := handed()
	steps := []struct {
		name   string
		report orderly.Report
		want   orderly.ReportEffect
		state  orderly.State
	}{
		{"accepted", orderly.Report{Number: 1, State: orderly.Pending}, orderly.ReportApplied, orderly.Pending},
		{"running", running(3, "ab", 0), orderly.ReportApplied, orderly.Running},
		{"running again", running(3, "ab", 0), orderly.ReportRepeated, orderly.Running},
		{"an older one", running(2, "zz", 7), orderly.ReportRepeated, orderly.Running},
		{"accepted, late", orderly.Report{Number: 1, State: orderly.Pending}, orderly.ReportRepeated, orderly.Running},
		{"end", ended(orderly.Success), orderly.ReportApplied, orderly.Success},
		{"end again", ended(orderly.Success), orderly.ReportRepeated, orderly.Success},
		{"running after the end", running(4, "cd", 2), orderly.ReportRepeated, orderly.Success},
	}
	for _, s := range steps {
		if got := task.Apply(s.report, plan, limit, at(6)); got != s.want || task.State != s.state {
			t.Errorf("%s: effect %d, %s, want %d, %s", s.name, got, task.State, s.want, s.state)
		}
	}
	if task.Repeats != 1 {
		t.Errorf("Repeats = %d, want 1", task.Repeats) // RP-1
	}
}

// Whatever the order of arrival, the highest number counts (REP-2, REP-3).
func TestOrderOfArrivalDoesNotMatter(t *testing.T) {
	reports := []orderly.Report{
		{Number: 1, State: orderly.Pending},
		{Number: 2, State: orderly.Running, Started: at(1), Output: []byte("a")},
		{Number: 1 << 31, State: orderly.Failed, Started: at(1), Finished: at(5), ExitCode: exit(1), Output: []byte("all"), Total: 3},
	}
	var want *orderly.Task
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {2}, {1, 2, 0}, {1, 0, 2, 2, 1}} {
		task := handed()
		for _, i := range order {
			task.Apply(reports[i], plan, limit, at(6))
		}
		if want == nil {
			want = task
		}
		if diff := cmp.Diff(want, task); diff != "" {
			t.Errorf("order %v (-in order +so):\n%s", order, diff)
		}
	}
}

func TestLateResults(t *testing.T) { // LATE-2, REP-1
	gone := func() *orderly.Task {
		task := started()
		task.Release(orderly.InstanceReleased, at(30), plan)
		return task
	}
	tests := []struct {
		name   string
		report orderly.Report
		want   orderly.ReportEffect
	}{
		{"success", withExit(ended(orderly.Success), 0), orderly.ReportLate},
		{"killed", ended(orderly.Terminated), orderly.ReportLate},
		{"timeout", ended(orderly.Timeout), orderly.ReportLate},
		{"could not start", never(orderly.Error, orderly.ExecutionException), orderly.ReportLate},
		{"never started, stopped", never(orderly.Cancelled, ""), orderly.ReportRepeated},
		{"never started, expired", never(orderly.Aborted, ""), orderly.ReportRepeated},
		{"never started, refused", never(orderly.Invalid, orderly.AccountNotExists), orderly.ReportRepeated},
		{"runs", orderly.Report{Number: 5, State: orderly.Running, Started: at(1)}, orderly.ReportRepeated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			task := gone()
			before := seen(task)
			if got := task.Apply(tt.report, plan, limit, at(40)); got != tt.want {
				t.Errorf("effect %d, want %d", got, tt.want)
			}
			if got := task.Apply(tt.report, plan, limit, at(41)); got != orderly.ReportRepeated {
				t.Errorf("effect of the same again: %d, want ReportRepeated", got)
			}
			if diff := cmp.Diff(before, seen(task)); diff != "" {
				t.Errorf("the ended task changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestTimesArePlaced(t *testing.T) { // CLK-1
	tests := []struct {
		name              string
		started, finished time.Time
		wantStart, want   time.Time
	}{
		{"as reported", at(1), at(5), at(1), at(5)},
		{"start before the creation", at(-9), at(5), at(0), at(5)},
		{"both before the creation", at(-9), at(-5), at(0), at(0)},
		{"end before the start", at(7), at(5), at(7), at(7)},
		{"start to come", at(900), at(901), at(12), at(12)},
		{"no end", at(7), time.Time{}, at(7), at(7)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			task := handed()
			task.Apply(orderly.Report{Number: 9, State: orderly.Success, Started: tt.started, Finished: tt.finished}, plan, limit, at(12))
			if !task.Started.Equal(tt.wantStart) || !task.Finished.Equal(tt.want) {
				t.Errorf("%s to %s, want %s to %s", task.Started, task.Finished, tt.wantStart, tt.want)
			}
		})
	}
}

// A report that lacks its times must not put a deadline or an end into the distant past.
func TestReportsWithoutTimes(t *testing.T) {
	task := handed()
	task.Apply(orderly.Report{Number: 2, State: orderly.Running}, plan, limit, at(3))
	if task.State != orderly.Running || !task.Started.Equal(at(3)) || !task.Due.After(at(3)) {
		t.Errorf("running: %s since %s, due at %s, want Running since %s", task.State, task.Started, task.Due, at(3))
	}
	task = handed()
	task.Apply(orderly.Report{Number: 9, State: orderly.Timeout, Finished: at(3)}, plan, limit, at(3))
	if task.State != orderly.Timeout || !task.Finished.Equal(at(3)) {
		t.Errorf("timeout: %s at %s, want Timeout at %s", task.State, task.Finished, at(3))
	}
}

func TestUpdatedMovesWithStatesAndOutput(t *testing.T) { // UPD-1
	task := handed()
	task.Apply(orderly.Report{Number: 2, State: orderly.Running, Started: at(1)}, plan, limit, at(2))
	if !task.Updated.Equal(at(2)) {
		t.Errorf("after the start: %s, want %s", task.Updated, at(2))
	}
	task.Apply(orderly.Report{Number: 3, State: orderly.Running, Started: at(1), Output: []byte("x")}, plan, limit, at(4))
	if !task.Updated.Equal(at(4)) {
		t.Errorf("after a piece of output: %s, want %s", task.Updated, at(4))
	}
	task.Apply(ended(orderly.Success), plan, limit, at(6))
	task.Apply(orderly.Report{Number: 4, State: orderly.Running, Started: at(1), Output: []byte("y")}, plan, limit, at(9))
	if !task.Updated.Equal(at(6)) {
		t.Errorf("after the end: %s, want %s", task.Updated, at(6))
	}
}

func TestOutputPreview(t *testing.T) { // OUT-2
	type piece struct {
		offset int64
		text   string
	}
	full := string(bytes.Repeat([]byte("0123456789abcdef"), orderly.MaxOutput/16))
	tests := []struct {
		name    string
		pieces  []piece
		want    string
		dropped int64
	}{
		{"one", []piece{{0, "hello"}}, "hello", 0},
		{"the next is appended", []piece{{0, "hel"}, {3, "lo"}}, "hello", 0},
		{"an empty one changes nothing", []piece{{0, "hel"}, {3, ""}}, "hel", 0},
		{"a repeated one changes nothing", []piece{{0, "hel"}, {3, "lo"}, {3, "lo"}}, "hello", 0},
		{"an older one changes nothing", []piece{{0, "hello"}, {1, "el"}}, "hello", 0},
		{"after a gap it replaces", []piece{{0, "hel"}, {9, "world"}}, "world", 9},
		{"after a gap the next is appended", []piece{{9, "wor"}, {12, "ld"}}, "world", 9},
		{"a longer one replaces what it overlaps", []piece{{0, "hel"}, {2, "llo"}}, "llo", 2},
		{"all that is kept", []piece{{0, full}}, full, 0},
		{"one byte more", []piece{{0, full}, {orderly.MaxOutput, "x"}}, full[1:] + "x", 1},
		{"one byte more at once", []piece{{0, full + "x"}}, full[1:] + "x", 1},
		{"no negative place", []piece{{-3, "hello"}}, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			task := handed()
			for i, p := range tt.pieces {
				task.Apply(orderly.Report{Number: int64(i + 2), State: orderly.Running, Started: at(1), Output: []byte(p.text), Offset: p.offset}, plan, limit, at(2))
			}
			if string(task.Output) != tt.want || task.Dropped() != tt.dropped {
				t.Errorf("%d bytes, %d dropped, want %d bytes, %d dropped", len(task.Output), task.Dropped(), len(tt.want), tt.dropped)
			}
		})
	}
}

// A piece that is appended must not write into the memory of the one before, which the sender of
// the report still holds.
func TestPreviewDoesNotShareMemory(t *testing.T) {
	first := append(make([]byte, 0, 64), "abc"...)
	task := handed()
	task.Apply(orderly.Report{Number: 2, State: orderly.Running, Started: at(1), Output: first}, plan, limit, at(2))
	task.Apply(orderly.Report{Number: 3, State: orderly.Running, Started: at(1), Output: []byte("def"), Offset: 3}, plan, limit, at(2))
	if got := string(first[:6]); got == "abcdef" || string(task.Output) != "abcdef" {
		t.Errorf("output %q, the first report's memory %q", task.Output, got)
	}
}

func TestEndReportReplacesThePreview(t *testing.T) { // OUT-1, OUT-2
	long := bytes.Repeat([]byte("x"), orderly.MaxOutput+10)
	tests := []struct {
		name    string
		output  []byte
		total   int64
		kept    int
		dropped int64
	}{
		{"all of it", []byte("hello"), 5, 5, 0},
		{"nothing written", nil, 0, 0, 0},
		{"the tail of more", long[:orderly.MaxOutput], 100000, orderly.MaxOutput, 100000 - orderly.MaxOutput},
		{"longer than is kept", long, int64(len(long)), orderly.MaxOutput, 10},
		{"a total that is too low", []byte("hello"), 2, 5, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			task := handed()
			task.Apply(orderly.Report{Number: 2, State: orderly.Running, Started: at(1), Output: []byte("preview")}, plan, limit, at(2))
			r := ended(orderly.Success)
			r.Output, r.Total = tt.output, tt.total
			task.Apply(r, plan, limit, at(6))
			if len(task.Output) != tt.kept || task.Dropped() != tt.dropped || !bytes.HasSuffix(tt.output, task.Output) {
				t.Errorf("%d bytes, %d dropped, want %d bytes, %d dropped", len(task.Output), task.Dropped(), tt.kept, tt.dropped)
			}
		})
	}
}

// What was streamed until a service-side end is kept (OUT-4).
func TestOutputOfALostTaskIsKept(t *testing.T) {
	task := handed()
	task.Apply(orderly.Report{Number: 2, State: orderly.Running, Started: at(1), Output: []byte("so far")}, plan, limit, at(2))
	task.Meet(orderly.Boot{Incarnation: "inc-2", ID: "boot-1"}, false, at(9), plan, limit)
	if string(task.Output) != "so far" {
		t.Errorf("output %q, want %q", task.Output, "so far")
	}
}

// An agent that was killed has lost the output of what ran, the pieces it sent before are all there
// is (OUT-4).
func TestEndWithoutOutputAfterACrashKeepsThePreview(t *testing.T) {
	task := handed()
	task.Apply(orderly.Report{Number: 2, State: orderly.Running, Started: at(1), Output: []byte("so far")}, plan, limit, at(2))
	r := ended(orderly.Error)
	r.ErrorCode, r.ExitCode, r.Output, r.Total = orderly.ClientRestarted, nil, nil, 0
	task.Apply(r, plan, limit, at(6))
	if string(task.Output) != "so far" || task.Dropped() != 0 || task.ErrorCode != orderly.ClientRestarted {
		t.Errorf("%s with output %q and %d dropped, want ClientRestarted with what was sent before", task.ErrorCode, task.Output, task.Dropped())
	}
}
