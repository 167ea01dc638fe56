package ecs_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
)

// stories are invocations by the name of what happened to them.
type stories map[string]string

// names are the stories of some invocations, in the order of the alphabet.
func (s stories) names(ids []string) (list []string) {
	of := map[string]string{}
	for name, id := range s {
		of[id] = name
	}
	for _, id := range ids {
		list = append(list, of[id])
	}
	slices.Sort(list)
	return list
}

// everyState brings a machine's tasks to each state, named by it, but for two, which need another
// machine: one that is away, and one that was never heard of.
func (h *house) everyState(machine string) stories {
	h.t.Helper()
	absent, silent := h.away(orderly.Linux), h.machine(orderly.Linux)
	ends := func(r orderly.Report) string { return h.ran(script(machine), map[string]orderly.Report{machine: r}) }
	s := stories{
		"Pending":  h.ran(script(machine), nil),
		"Running":  ends(h.began()),
		"Success":  ends(h.ended(orderly.Success, 0, "")),
		"Failed":   ends(h.ended(orderly.Failed, 1, "")),
		"Timeout":  ends(h.ended(orderly.Timeout, 137, "")),
		"Error":    ends(orderly.Report{State: orderly.Error}),
		"Invalid":  ends(orderly.Report{State: orderly.Invalid, ErrorCode: orderly.AccountNotExists}),
		"Aborted":  h.ran(script(absent), nil),
		"Stopping": h.ran(script(machine), nil),
	}
	h.stop(s["Stopping"])
	s["Cancelled"] = h.ran(script(silent), nil)
	h.stop(s["Cancelled"])
	s["Terminated"] = ends(h.began())
	h.stop(s["Terminated"])
	h.report(machine, h.ended(orderly.Terminated, 143, ""))
	return s
}

// repeated adds what repeats: a schedule that waits, one that was stopped before it ran, and two runs at
// boot, of which one ended by itself and one broke while it was being stopped.
func (h *house) repeated(machine string, s stories) {
	h.t.Helper()
	schedule, atBoot := script(machine).with("Frequency", "rate(1h)"), script(machine).with("RepeatMode", "NextRebootOnly")
	s["Scheduled"] = h.ran(schedule, map[string]orderly.Report{machine: armed})
	s["stopped schedule"] = h.ran(schedule, map[string]orderly.Report{machine: armed})
	h.stop(s["stopped schedule"])
	h.report(machine, over(orderly.Cancelled, ""))
	s["ended at boot"] = h.ran(atBoot, map[string]orderly.Report{machine: h.ended(orderly.Success, 0, "")})
	s["broken at boot"] = h.ran(atBoot, map[string]orderly.Report{machine: h.began()})
	h.stop(s["broken at boot"])
	h.report(machine, orderly.Report{Number: 9, State: orderly.Error})
}

func TestEveryStatusFindsItsResults(t *testing.T) { // DR-3, DR-6, LG-1, LG-2
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		s := h.everyState(machine)
		h.repeated(machine, s)
		find := func(parameter, status string, want ...string) {
			t.Helper()
			var ids []string
			for _, row := range h.rowsOf(values{parameter: status, "PageSize": "50"}) {
				ids = append(ids, row.InvokeId)
			}
			if diff := cmp.Diff(want, s.names(ids)); diff != "" {
				t.Errorf("%s=%s (-want +got):\n%s", parameter, status, diff)
			}
		}
		also := map[orderly.State]string{orderly.Success: "ended at boot", orderly.Error: "broken at boot", orderly.Cancelled: "stopped schedule"}
		for _, state := range orderly.States {
			want := []string{string(state)}
			if more := also[state]; more != "" {
				want = append(want, more)
			}
			find("InvocationStatus", string(state), want...)
		}
		find("InvokeRecordStatus", "Running", "Pending", "Running", "Scheduled", "ended at boot")
		find("InvokeRecordStatus", "Finished", "Failed", "Success")
		find("InvokeRecordStatus", "Success", "Success", "ended at boot")
		find("InvokeRecordStatus", "Failed", "Aborted", "Error", "Failed", "Invalid", "Timeout")
		find("InvokeRecordStatus", "PartialFailed")
		find("InvokeRecordStatus", "Stopped", "Cancelled", "Terminated", "broken at boot", "stopped schedule")
		find("InvokeRecordStatus", "Stopping", "Stopping")
	})
}

// rowsOf are the rows of one page of DescribeInvocationResults.
func (h *house) rowsOf(v values) []task {
	h.t.Helper()
	return call[results](h, "DescribeInvocationResults", v).Invocation.InvocationResults.InvocationResult
}

func TestEveryStatusFindsItsInvocations(t *testing.T) { // DI-2, DI-6, LG-3
	each(t, func(t *testing.T, h *house) {
		machine, second := h.online(), h.online()
		s := h.everyState(machine)
		h.repeated(machine, s)
		good := h.ended(orderly.Success, 0, "")
		s["half broken"] = h.ran(script(machine, second), map[string]orderly.Report{machine: good, second: {State: orderly.Error}})
		s["half failed"] = h.ran(script(machine, second), map[string]orderly.Report{machine: good, second: h.ended(orderly.Failed, 1, "")})
		for id, want := range map[string][2]string{"half broken": {"PartialFailed", "PartialFailed"}, "half failed": {"PartialFailed", "Finished"}} {
			if v := h.only(values{"InvokeId": s[id]}); v.InvocationStatus != want[0] || v.InvokeStatus != want[1] {
				t.Errorf("%s: InvocationStatus %s, InvokeStatus %s, want %s", id, v.InvocationStatus, v.InvokeStatus, want)
			}
		}
		for status, want := range map[string][]string{
			"Running":       {"Pending", "Running", "Scheduled", "ended at boot"},
			"Finished":      {"Failed", "Success", "half failed"},
			"Success":       {"Success", "ended at boot"},
			"Failed":        {"Aborted", "Error", "Failed", "Invalid", "Timeout", "broken at boot"},
			"Stopped":       {"Cancelled", "Terminated", "broken at boot", "stopped schedule"},
			"Stopping":      {"Stopping"},
			"PartialFailed": {"half broken", "half failed"},
			"Pending":       {"Pending"},
			"Scheduled":     {"Scheduled"},
		} {
			h.findsInvocations(s, values{"InvokeStatus": status}, want)
		}
		for status, want := range map[string][]string{ // as they stand on the machine
			"Running":   {"Pending", "Running", "Scheduled", "ended at boot"},
			"Finished":  {"Failed", "Success", "half broken", "half failed"},
			"Success":   {"Success", "ended at boot", "half broken", "half failed"},
			"Failed":    {"Error", "Failed", "Invalid", "Timeout"},
			"Stopped":   {"Terminated", "broken at boot", "stopped schedule"},
			"Stopping":  {"Stopping"},
			"Pending":   {"Pending"},
			"Scheduled": {"Scheduled"},
			"PartialFailed": slices.DeleteFunc(slices.Sorted(maps.Keys(s)), func(name string) bool { // asks for nothing
				return name == "Aborted" || name == "Cancelled"
			}),
		} {
			h.findsInvocations(s, values{"InvokeStatus": status, "InstanceId": machine}, want)
		}
	})
}

func (h *house) findsInvocations(s stories, filter values, want []string) {
	h.t.Helper()
	got := call[invocations](h, "DescribeInvocations", filter.with("PageSize", "50"))
	if diff := cmp.Diff(want, s.names(got.ids())); diff != "" {
		h.t.Errorf("%v (-want +got):\n%s", filter, diff)
	}
}

func TestTypesOfCommandsFindTheirInvocations(t *testing.T) { // DI-7
	each(t, func(t *testing.T, h *house) {
		linux, windows := h.online(), h.machine(orderly.Windows)
		h.connect(windows)
		s := stories{}
		for typ, machine := range map[string]string{"RunShellScript": linux, "RunBatScript": windows, "RunPowerShellScript": windows} {
			s[typ] = call[run](h, "RunCommand", script(machine).with("Type", typ)).InvokeId
		}
		for typ := range s {
			h.findsInvocations(s, values{"CommandType": typ}, []string{typ})
		}
		h.findsInvocations(s, values{"CommandType": "RunPowerShellScript", "InstanceId": windows}, []string{"RunPowerShellScript"})
		h.findsInvocations(s, values{"CommandType": "RunBatScript", "InstanceId": linux}, nil)
		h.findsInvocations(s, values{"CommandType": "runbatscript"}, nil)
	})
}

func TestTagsFindResults(t *testing.T) { // DR-1, DI-7
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		s := stories{}
		for name, tags := range map[string][]string{
			"web": {"Tag.1.Key", "role", "Tag.1.Value", "web"}, "db": {"Tag.1.Key", "role", "Tag.1.Value", "db", "Tag.2.Key", "old", "Tag.2.Value", "yes"},
			"empty": {"Tag.1.Key", "role"}, "none": nil,
		} {
			s[name] = call[run](h, "RunCommand", script(machine).with(tags...)).InvokeId
		}
		for _, c := range []struct {
			filter values
			want   []string
		}{
			{values{"Tag.1.Key": "role", "Tag.1.Value": "web"}, []string{"web"}},
			{values{"Tag.1.Key": "role", "Tag.1.Value": "db"}, []string{"db"}},
			{values{"Tag.1.Key": "role"}, []string{"empty"}},
			{values{"Tag.1.Key": "role", "Tag.1.Value": "Web"}, nil},
			{values{"Tag.1.Key": "old", "Tag.1.Value": "yes", "Tag.2.Key": "role", "Tag.2.Value": "db", "InstanceId": machine}, []string{"db"}},
			{values{"Tag.1.Key": "old", "Tag.1.Value": "yes", "Tag.2.Key": "role", "Tag.2.Value": "web"}, nil},
		} {
			var ids []string
			for _, row := range h.rowsOf(c.filter) {
				ids = append(ids, row.InvokeId)
			}
			if diff := cmp.Diff(c.want, s.names(ids)); diff != "" {
				t.Errorf("%v (-want +got):\n%s", c.filter, diff)
			}
		}
	})
}

// EN-1: one parameter says how content and output are shown, and what it does not know is its default.
func TestEncodingOfContentAndOutput(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		invoke := h.ran(script(machine), map[string]orderly.Report{machine: h.ended(orderly.Success, 0, "héllo\n")})
		type texts struct{ Content, Output, Result string }
		plain, encoded := texts{"echo hello", "héllo\n", "héllo\n"}, texts{"ZWNobyBoZWxsbw==", "aMOpbGxvCg==", "aMOpbGxvCg=="}
		for encoding, want := range map[string]texts{"PlainText": plain, "Base64": encoded, "": encoded, "hex": encoded} {
			asked := values{"InvokeId": invoke, "ContentEncoding": encoding}
			v := h.only(asked.with("IncludeOutput", "true"))
			got := texts{v.CommandContent, v.InvokeInstances.InvokeInstance[0].Output, h.result(asked).Output}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("ContentEncoding=%s (-want +got):\n%s", encoding, diff)
			}
		}
	})
}

// DI-9: an invocation has one row for each machine, the newest, whatever ran before; and it alone tells
// of content and parameters.
func TestInvocationsHaveNoHistory(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		asked := script(machine).with("Frequency", "rate(1h)", "CommandContent", "echo {{a}}", "EnableParameter", "true", "Parameters", `{"a":"b"}`)
		id := call[run](h, "RunCommand", asked).InvokeId
		h.report(machine, inRun(1, h.ended(orderly.Success, 0, "first")))
		h.report(machine, inRun(2, h.ended(orderly.Failed, 3, "second")))
		v := h.only(values{"InvokeId": id, "IncludeHistory": "true", "IncludeOutput": "true", "ContentEncoding": "PlainText"})
		rows := v.InvokeInstances.InvokeInstance
		if len(rows) != 1 || rows[0].Repeats != 2 || rows[0].Output != "second" || show(rows[0].ExitCode) != "3" {
			t.Errorf("rows %+v, want the second run alone", rows)
		}
		if v.CommandContent != "echo {{a}}" || v.Parameters != `{"a":"b"}` {
			t.Errorf("content %q with %q", v.CommandContent, v.Parameters)
		}
		type plain struct {
			Invocation struct {
				InvocationResults struct{ InvocationResult []map[string]any }
			}
		}
		runs := call[plain](h, "DescribeInvocationResults", values{"InvokeId": id, "IncludeHistory": "true"}).Invocation.InvocationResults.InvocationResult
		if len(runs) != 2 {
			t.Errorf("history of %d runs, want 2", len(runs))
		}
		for _, row := range runs {
			for _, field := range []string{"CommandContent", "Parameters"} {
				if text, ok := row[field]; ok {
					t.Errorf("a result has the %s %v", field, text)
				}
			}
		}
	})
}

// DR-3, DR-6, LG-4: a run that is stopped is found by its own statuses, the one before it by those that it ended with.
func TestStoppedRunsAreFoundInHistory(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		id := call[run](h, "RunCommand", script(machine).with("Frequency", "rate(1h)")).InvokeId
		h.report(machine, inRun(1, h.ended(orderly.Success, 0, "")))
		h.later()
		h.report(machine, inRun(2, h.began()))
		find := func(parameter, status string, want ...string) {
			t.Helper()
			if got := h.runs(values{"InvokeId": id, "IncludeHistory": "true", parameter: status}); !slices.Equal(got, want) {
				t.Errorf("%s=%s: %v, want %v", parameter, status, got, want)
			}
		}
		h.stop(id)
		find("InvokeRecordStatus", "Stopping", "2 Stopping")
		find("InvocationStatus", "Stopping", "2 Stopping")
		find("InvokeRecordStatus", "Stopped")
		h.report(machine, inRun(2, h.ended(orderly.Terminated, 143, "")))
		find("InvokeRecordStatus", "Stopped", "2 Terminated")
		find("InvocationStatus", "Terminated", "2 Terminated")
		find("InvokeRecordStatus", "Stopping")
		find("InvokeRecordStatus", "Finished", "1 Success")
		find("InvokeRecordStatus", "Success", "1 Success")
		find("InvokeRecordStatus", "Running")
	})
}
