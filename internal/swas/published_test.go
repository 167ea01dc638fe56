package swas_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/evidence"
	"github.com/orderly-run/orderly/internal/store"
)

// The published sample of DescribeCommandInvocations has the shape and the types of our answer: no field
// more, and none less.
func TestPublishedSampleHasOurShape(t *testing.T) {
	text, err := os.ReadFile("testdata/published/DescribeCommandInvocations.json")
	must(t, err)
	var sample map[string]any
	must(t, json.Unmarshal(text, &sample))
	each(t, func(t *testing.T, h *house) {
		m := h.machine(orderly.Linux)
		call[began](h, "RunCommand", script(m))
		h.end(m, orderly.Failed, orderly.ExitCodeNonzero, 1, "OutputMsg")
		_, body := h.exchange("JSON", evidence.Request{Operation: "DescribeCommandInvocations"})
		var answer map[string]any
		must(t, json.Unmarshal(body, &answer))
		for _, d := range differences("", sample, answer) {
			t.Error(d)
		}
	})
}

// differences tells where two values differ in their fields and types.
func differences(at string, want, got any) (list []string) {
	if a, b := reflect.TypeOf(want), reflect.TypeOf(got); a != b {
		return []string{fmt.Sprintf("%s is a %v, want %v", at, b, a)}
	}
	switch want := want.(type) {
	case map[string]any:
		got := got.(map[string]any)
		if a, b := slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)); !slices.Equal(a, b) {
			return []string{fmt.Sprintf("%s has %v, want %v", at, b, a)}
		}
		for name := range want {
			list = append(list, differences(at+"."+name, want[name], got[name])...)
		}
	case []any:
		list = differences(at+"[]", want[0], got.([]any)[0])
	}
	return list
}

// AG-4, AG-5: a task on one instance shows that instance's own state, one on several the aggregate; both
// are found by the aggregate, and by nothing else.
func TestOverallStates(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first, second := h.machine(orderly.Linux), h.machine(orderly.Linux)
		command := call[began](h, "CreateCommand", aCommand).CommandId
		shown := map[string]string{} // what each shows, by ID
		found := map[string]string{} // what it is found by
		one := func(state orderly.State, code orderly.ErrorCode, exit int, aggregate string) {
			id := call[began](h, "RunCommand", script(first)).InvokeId
			switch state {
			case orderly.Pending:
			case orderly.Running:
				h.report(first, orderly.Report{State: orderly.Running})
			case orderly.Stopping:
				must(t, h.engine.StopInvocation(t.Context(), caller, region, id, nil))
			case orderly.Cancelled:
				must(t, h.engine.StopInvocation(t.Context(), caller, region, id, nil))
				h.end(first, orderly.Cancelled, "", -1, "")
			case orderly.Terminated:
				must(t, h.engine.StopInvocation(t.Context(), caller, region, id, nil))
				h.end(first, orderly.Terminated, "", 137, "")
			default:
				h.end(first, state, code, exit, "")
			}
			shown[id], found[id] = string(state), aggregate
		}
		one(orderly.Pending, "", 0, "Pending")
		one(orderly.Running, "", 0, "Running")
		one(orderly.Stopping, "", 0, "Stopping")
		one(orderly.Success, "", 0, "Success")
		one(orderly.Failed, orderly.ExitCodeNonzero, 3, "Failed")
		one(orderly.Timeout, orderly.ExecutionTimeout, -1, "Failed")
		one(orderly.Error, orderly.ClientRestarted, -1, "Failed")
		one(orderly.Invalid, orderly.DirectoryNotExists, -1, "Failed")
		one(orderly.Aborted, orderly.DeliveryTimeout, -1, "Failed")
		one(orderly.Cancelled, "", -1, "Stopped")
		one(orderly.Terminated, "", 137, "Stopped")
		both := call[began](h, "InvokeCommand", values{"CommandId": command, "InstanceIds": list(first, second)}).InvokeId
		h.end(first, orderly.Success, "", 0, "")
		h.end(second, orderly.Timeout, orderly.ExecutionTimeout, -1, "")
		shown[both], found[both] = "PartialFailed", "PartialFailed"

		all := call[invocations](h, "DescribeCommandInvocations", values{"PageSize": "50"})
		for _, v := range all.CommandInvocations {
			if v.InvocationStatus != shown[v.InvokeId] {
				t.Errorf("shown as %s, want %s", v.InvocationStatus, shown[v.InvokeId])
			}
			if own := v.InvokeInstances[0].InvocationStatus; len(v.InvokeInstances) == 1 && own != shown[v.InvokeId] {
				t.Errorf("its instance is shown as %s, want %s", own, shown[v.InvokeId])
			}
		}
		if all.TotalCount != len(shown) {
			t.Errorf("%d invocations, want %d", all.TotalCount, len(shown))
		}
		for _, by := range []string{"Pending", "Running", "Success", "Failed", "Stopping", "Stopped", "PartialFailed", "Scheduled", "Timeout", "Finished", "x"} {
			for _, more := range []values{{}, {"InstanceId": first.name}, {"CommandType": "RunShellScript"}} {
				want := 0
				for _, f := range found {
					if f == by {
						want++
					}
				}
				if r := call[invocations](h, "DescribeCommandInvocations", more.with("InvocationStatus", by, "PageSize", "50")); r.TotalCount != want || len(r.CommandInvocations) != want {
					t.Errorf("InvocationStatus=%s with %v finds %d, want %d", by, more, r.TotalCount, want)
				}
			}
		}
		// SW-2: of one instance the older status counts.
		for by, want := range map[string]int{"Running": 2, "Finished": 3, "Failed": 4, "Stopped": 2, "Stopping": 1, "": 12, "Success": 0, "Timeout": 0} {
			r := call[onOne](h, "DescribeInvocations", values{"InstanceId": first.name, "InvokeStatus": by, "PageSize": "50"})
			if r.TotalCount != want || len(r.Invocations) != want {
				t.Errorf("InvokeStatus=%s finds %d of %d, want %d", by, len(r.Invocations), r.TotalCount, want)
			}
			for _, v := range r.Invocations {
				state := shown[v.InvokeId]
				if v.InvokeId == both {
					state = "Success" // on this one
				}
				if v.InvocationStatus != state || by != "" && v.InvokeStatus != by {
					t.Errorf("found by %q: %s, %s, want %s", by, v.InvocationStatus, v.InvokeStatus, state)
				}
			}
		}
	})
}

// EC-1, TM-4: codes are the older ones with their wording, and no error is the empty text.
func TestOlderWording(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		m := h.machine(orderly.Linux)
		for _, f := range append(slices.Clone(orderly.Faults), orderly.Fault{State: orderly.Success}) {
			states := []orderly.State{f.State}
			if f.OldError != "" {
				states = append(states, orderly.Error)
			}
			for _, state := range states {
				id := call[began](h, "RunCommand", script(m)).InvokeId
				h.settle(m, state, f.Code)
				code, info := f.Code.Older(state)
				named := values{"InvokeId": id, "InstanceId": m.name}
				got := call[invocations](h, "DescribeCommandInvocations", named).CommandInvocations[0].InvokeInstances[0]
				if got.ErrorCode != string(code) || got.ErrorInfo != info || got.InvocationStatus != string(state) {
					t.Errorf("%s, %s is shown as %+v, want %s, %s", f.Code, state, got, code, info)
				}
				again := call[struct{ InvocationResult result }](h, "DescribeInvocationResult", named).InvocationResult
				if again.ErrorCode != string(code) || again.ErrorInfo != info {
					t.Errorf("%s, %s is shown as %+v by itself, want %s, %s", f.Code, state, again, code, info)
				}
			}
		}
		gone := h.away(orderly.Linux, 3600e9)
		call[began](h, "RunCommand", script(gone))
		got := call[invocations](h, "DescribeCommandInvocations", values{"InstanceId": gone.name}).CommandInvocations[0]
		if in := got.InvokeInstances[0]; got.InvocationStatus != "Aborted" || in.ErrorCode != "InstanceNotRunning" || in.ErrorInfo != "the instance is not running when create task" || in.StartTime != "" {
			t.Errorf("on a machine that is away: %+v", got)
		}
	})
}

// settle puts the unfinished task of a machine, if there is one, into a state, whether an agent could have or not.
func (h *house) settle(m machine, state orderly.State, code orderly.ErrorCode) {
	h.t.Helper()
	must(h.t, h.db.Write(h.t.Context(), store.Interactive, func(tx *store.Tx) error {
		tasks, err := tx.LiveTasks([]string{m.id})
		if err != nil || len(tasks) == 0 {
			return err
		}
		k := &tasks[0]
		before := orderly.Count(k.State, false)
		k.State, k.ErrorCode, k.Finished = state, code, tx.Now
		if err := tx.SaveTasks(tasks); err != nil {
			return err
		}
		return tx.Changed([]store.Change{{Seq: k.Invocation, Delta: orderly.Count(state, false).Sub(before)}})
	}))
}
