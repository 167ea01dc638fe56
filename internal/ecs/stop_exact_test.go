package ecs_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
)

// stop stops an invocation on some of its instances, or on all.
func (h *house) stop(invoke string, ids ...string) {
	h.t.Helper()
	v := values{"InvokeId": invoke}
	for name, id := range script(ids...) {
		if name != "Type" && name != "CommandContent" {
			v[name] = id
		}
	}
	a := h.send("StopInvocation", "JSON", v)
	var fields map[string]any
	must(h.t, json.Unmarshal(a.body, &fields))
	if _, ok := fields["RequestId"]; a.status != 200 || !ok || len(fields) != 1 { // STOP-6
		h.t.Errorf("StopInvocation: %d %s, want the RequestId alone", a.status, a.body)
	}
}

// states are those of an invocation's instances, in their order.
func (h *house) states(invoke string) (list []string) {
	h.t.Helper()
	for _, row := range h.only(values{"InvokeId": invoke}).InvokeInstances.InvokeInstance {
		list = append(list, row.InvocationStatus)
	}
	return list
}

// STOP-2, T12, T15, STOP-6: what no agent has is cancelled at once, and the agents of the rest are told;
// nobody waits for them.
func TestStopBeforeTheAgentAnswers(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pending, running, waiting := h.online(), h.online(), h.machine(orderly.Linux)
		invoke := call[run](h, "RunCommand", script(pending, running, waiting)).InvokeId
		h.report(running, orderly.Report{State: orderly.Running})
		h.stop(invoke)
		if diff := cmp.Diff([]string{"Stopping", "Stopping", "Cancelled"}, h.states(invoke)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		var told []string
		h.wire.mu.Lock()
		for _, m := range h.wire.sent {
			if m.Kind == engine.SendStop {
				told = append(told, m.Instance)
			}
		}
		h.wire.mu.Unlock()
		if !slices.Equal(told, []string{pending, running}) {
			t.Errorf("told %v, want %v", told, []string{pending, running})
		}
		if v := h.only(values{"InvokeId": invoke}); v.InvocationStatus != "Stopping" || v.InvokeStatus != "Stopping" {
			t.Errorf("invocation is %s, %s, want Stopping", v.InvocationStatus, v.InvokeStatus)
		}
	})
}

// STOP-2, T16, T17, T20, T21: the answer of the agent decides what a stopped task becomes.
func TestStopIsTheAgentsToAnswer(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		for _, c := range []struct {
			rule          string
			answer        orderly.Report
			state, legacy string
			code          string
			exit          string
		}{
			{"T21, never started", orderly.Report{State: orderly.Cancelled}, "Cancelled", "Stopped", "", "none"},
			{"T16, killed", h.ended(orderly.Terminated, 137, "out"), "Terminated", "Stopped", "", "137"},
			{"T17, had succeeded", h.ended(orderly.Success, 0, "out"), "Success", "Finished", "", "0"},
			{"T17, had failed", h.ended(orderly.Failed, 3, "out"), "Failed", "Finished", "ExitCodeNonzero", "3"},
			{"T20, had timed out", h.ended(orderly.Timeout, 137, "out"), "Timeout", "Failed", "ExecutionTimeout", "137"},
			{"T17, was refused", orderly.Report{State: orderly.Invalid, ErrorCode: orderly.DirectoryNotExists}, "Invalid", "Failed", "DirectoryNotExists", "none"},
			{"T17, had broken", orderly.Report{State: orderly.Error, ErrorCode: orderly.ExecutionException}, "Error", "Failed", "ExecutionException", "none"},
			{"T18, could not be killed", orderly.Report{State: orderly.Error, ErrorCode: orderly.TerminationException}, "Error", "Failed", "TerminationException", "none"},
		} {
			invoke := call[run](h, "RunCommand", script(id)).InvokeId
			if c.answer.State != orderly.Cancelled && c.answer.State != orderly.Invalid { // which say that it never ran
				h.report(id, orderly.Report{State: orderly.Running, Number: 1})
			}
			h.stop(invoke)
			stopped := h.result(values{"InvokeId": invoke})
			c.answer.Number = 9
			h.report(id, c.answer)
			row := h.result(values{"InvokeId": invoke})
			got := []string{row.InvocationStatus, row.InvokeRecordStatus, row.ErrorCode, show(row.ExitCode)}
			if diff := cmp.Diff([]string{c.state, c.legacy, c.code, c.exit}, got); diff != "" {
				t.Errorf("%s (-want +got)\n%s", c.rule, diff)
			}
			if row.StopTime == "" || row.StopTime != stopped.StopTime || row.FinishedTime == "" { // STOP-4
				t.Errorf("%s: stopped at %q, then %q, finished at %q", c.rule, stopped.StopTime, row.StopTime, row.FinishedTime)
			}
		}
	})
}

// STOP-1, STOP-3, STOP-4, STOP-5: a stop is for the instances that it names; the others go on.
func TestStopOfSomeInstances(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var ids []string
		for range 3 {
			ids = append(ids, h.online())
		}
		var fifty []string
		for len(fifty) < 50 {
			fifty = append(fifty, ids[1])
		}
		invoke := call[run](h, "RunCommand", script(ids...)).InvokeId
		h.refused("StopInvocation", values{"InvokeId": invoke, "InstanceId.1": ids[0], "InstanceId.2": h.online()}, 404, "InvalidInstanceId.NotFound")
		if diff := cmp.Diff([]string{"Pending", "Pending", "Pending"}, h.states(invoke)); diff != "" {
			t.Errorf("after a refusal (-want +got)\n%s", diff)
		}
		h.stop(invoke, fifty...)
		if diff := cmp.Diff([]string{"Pending", "Stopping", "Pending"}, h.states(invoke)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		for i, row := range h.only(values{"InvokeId": invoke}).InvokeInstances.InvokeInstance {
			if (row.StopTime != "") != (i == 1) {
				t.Errorf("StopTime of instance %d is %q", i, row.StopTime)
			}
		}
	})
}

// STOP-5: what has ended stays as it is, and stopping it goes well.
func TestStopOfWhatHasEnded(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id, away := h.online(), h.away(orderly.Linux)
		invoke := call[run](h, "RunCommand", script(id, away)).InvokeId
		h.report(id, h.ended(orderly.Failed, 7, "out"))
		before := h.send("DescribeInvocationResults", "JSON", values{"InvokeId": invoke})
		h.stop(invoke)
		h.stop(invoke, id)
		after := h.send("DescribeInvocationResults", "JSON", values{"InvokeId": invoke})
		if diff := cmp.Diff(settled(t, "JSON", before.body), settled(t, "JSON", after.body)); diff != "" {
			t.Errorf("(-before +after)\n%s", diff)
		}
		for _, row := range h.only(values{"InvokeId": invoke}).InvokeInstances.InvokeInstance {
			if row.StopTime != "" {
				t.Errorf("%s has ended as %s and was stopped at %s", row.InstanceId, row.InvocationStatus, row.StopTime)
			}
		}
	})
}
