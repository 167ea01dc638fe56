package ecs_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/orderly-run/orderly"
)

// ran runs a script on instances and ends it on each.
func (h *house) ran(v values, ended map[string]orderly.Report) string {
	h.t.Helper()
	id := call[run](h, "RunCommand", v).InvokeId
	for instance, r := range ended {
		h.report(instance, r)
	}
	return id
}

// only is the one invocation of an answer.
func (h *house) only(v values) invocation {
	h.t.Helper()
	r := call[invocations](h, "DescribeInvocations", v)
	if len(r.Invocations.Invocation) != 1 {
		h.t.Fatalf("%v found %v, want one", v, r.ids())
	}
	return r.Invocations.Invocation[0]
}

// result is the one row of an answer of DescribeInvocationResults.
func (h *house) result(v values) task {
	h.t.Helper()
	r := call[results](h, "DescribeInvocationResults", v)
	if len(r.ids()) != 1 {
		h.t.Fatalf("%v found %v, want one", v, r.ids())
	}
	return r.Invocation.InvocationResults.InvocationResult[0]
}

func TestInvocationFilters(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a, b := h.online(), h.online()
		good, bad := h.ended(orderly.Success, 0, "fine\n"), h.ended(orderly.Failed, 1, "")
		partial := h.ran(script(a, b).with("Name", "partial", "Tag.1.Key", "k", "Tag.1.Value", "v"), map[string]orderly.Report{a: good, b: bad})
		failed := h.ran(script(b).with("Name", "failed", "ResourceGroupId", "rg-machines"), map[string]orderly.Report{b: bad})
		live := h.ran(script(a).with("Name", "live"), nil)
		command := h.only(values{"InvokeId": failed}).CommandId
		everything := []string{live, failed, partial}
		for _, c := range []struct {
			rule   string
			filter values
			want   []string
		}{
			{"DI-4", nil, everything},
			{"DI-1", values{"InvokeId": failed}, []string{failed}},
			{"DI-1", values{"InvokeId": "t-unknown"}, nil},
			{"DI-1", values{"InvokeId": failed, "CommandName": "live"}, nil},
			{"DI-1", values{"InstanceId": "mi-unknown"}, nil},
			{"DI-1", values{"CommandId": command}, []string{failed}},
			{"DI-1", values{"RegionId": "cn-beijing"}, nil},
			{"DI-2", values{"InstanceId": a}, []string{live, partial}},
			{"DI-2", values{"InstanceId": a, "CommandName": "ignored", "RepeatMode": "Period"}, []string{live, partial}},
			{"DI-2", values{"InstanceId": a, "InvokeStatus": "PartialFailed"}, []string{live, partial}},
			{"DI-3", values{"Timed": "true"}, nil},
			{"DI-3", values{"Timed": "false"}, everything},
			{"DI-6", values{"InvokeStatus": "PartialFailed"}, []string{partial}},
			{"DI-6", values{"InvokeStatus": "Failed"}, []string{failed}},
			{"DI-6 both vocabularies", values{"InvokeStatus": "Finished"}, []string{failed, partial}},
			{"DI-6", values{"InvokeStatus": "Pending"}, []string{live}},
			{"DI-6 both vocabularies", values{"InvokeStatus": "Running"}, []string{live}},
			{"DI-6", values{"InvokeStatus": "Success"}, nil},
			{"DI-6 of the instance", values{"InvokeStatus": "Success", "InstanceId": a}, []string{partial}},
			{"DI-6 of the instance", values{"InvokeStatus": "Failed", "InstanceId": b}, []string{failed, partial}},
			{"DI-6", values{"InvokeStatus": "Unheard"}, nil},
			{"DI-7", values{"CommandName": "live"}, []string{live}},
			{"DI-7", values{"CommandName": "Live"}, nil},
			{"DI-7", values{"CommandType": "RunShellScript"}, everything},
			{"DI-7", values{"CommandType": "RunPython"}, nil},
			{"DI-7", values{"RepeatMode": "Once"}, everything},
			{"DI-7", values{"RepeatMode": "Period"}, nil},
			{"TGT-4", values{"ResourceGroupId": "rg-machines"}, []string{failed}},
			{"DI-7", values{"Tag.1.Key": "k", "Tag.1.Value": "v"}, []string{partial}},
			{"DI-7", values{"Tag.1.Key": "k"}, nil},
			{"PG-1", values{"PageSize": "50", "PageNumber": "1"}, everything},
		} {
			got := call[invocations](h, "DescribeInvocations", c.filter)
			if !slices.Equal(got.ids(), c.want) || got.TotalCount != len(c.want) {
				t.Errorf("%s %v: %v (TotalCount %d), want %v", c.rule, c.filter, got.ids(), got.TotalCount, c.want)
			}
		}
		if got := call[invocations](h.as(other), "DescribeInvocations", nil); got.TotalCount != 0 {
			t.Errorf("another account sees %v", got.ids())
		}
		// DI-2, AG-6: one instance's row, everybody's aggregate.
		v := h.only(values{"InstanceId": a, "InvokeId": partial})
		if rows := v.InvokeInstances.InvokeInstance; len(rows) != 1 || rows[0].InstanceId != a || v.InvocationStatus != "PartialFailed" {
			t.Errorf("on %s: %+v", a, v)
		}
	})
}

func TestResultFilters(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a, b := h.online(), h.online()
		good, bad := h.ended(orderly.Success, 0, "fine\n"), h.ended(orderly.Failed, 1, "")
		both := h.ran(script(b, a).with("Tag.1.Key", "k", "ResourceGroupId", "rg-machines"), map[string]orderly.Report{a: good, b: bad})
		live := h.ran(script(a), nil)
		command := h.only(values{"InvokeId": live}).CommandId
		bBoth, aBoth, aLive := both+" "+b, both+" "+a, live+" "+a
		for _, c := range []struct {
			rule   string
			filter values
			want   []string
		}{
			{"DR-5, PG-1", nil, []string{aLive, bBoth, aBoth}},
			{"DR-1", values{"InvokeId": both}, []string{bBoth, aBoth}},
			{"DR-1", values{"InstanceId": a}, []string{aLive, aBoth}},
			{"DR-1", values{"CommandId": command}, []string{aLive}},
			{"DI-1", values{"InvokeId": "t-unknown"}, nil},
			{"DR-3", values{"InvokeRecordStatus": "Finished"}, []string{bBoth, aBoth}},
			{"DR-3", values{"InvokeRecordStatus": "Failed"}, []string{bBoth}},
			{"DR-3", values{"InvokeRecordStatus": "Running"}, []string{aLive}},
			{"DR-3", values{"InvokeRecordStatus": "PartialFailed"}, nil},
			{"DR-6", values{"InvocationStatus": "Pending"}, []string{aLive}},
			{"DR-6", values{"InvocationStatus": "Finished"}, nil},
			{"DR-6", values{"InvocationStatus": "Failed", "InvokeRecordStatus": "Running"}, nil},
			{"DR-6", values{"InvocationStatus": "Failed", "InvokeRecordStatus": "Finished"}, []string{bBoth}},
			{"DR-1", values{"Tag.1.Key": "k"}, []string{bBoth, aBoth}},
			{"DR-1", values{"ResourceGroupId": "rg-machines"}, []string{bBoth, aBoth}},
			{"DR-2", values{"IncludeHistory": "false", "InvokeId": live}, []string{aLive}},
		} {
			got := call[results](h, "DescribeInvocationResults", c.filter)
			if !slices.Equal(got.ids(), c.want) || got.Invocation.TotalCount != len(c.want) {
				t.Errorf("%s %v: %v (TotalCount %d), want %v", c.rule, c.filter, got.ids(), got.Invocation.TotalCount, c.want)
			}
		}
	})
}

// T1, T5, T11, T22, LG-1, EXI-1, TM-3 and semantics 10.1, as both describe operations show them.
func TestHowTasksEnd(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		code := func(n int) *int { return &n }
		for _, c := range []struct {
			name          string
			report        orderly.Report
			state, legacy string
			exit          *int
			fault         string
		}{
			{"success", h.ended(orderly.Success, 0, ""), "Success", "Finished", code(0), ""},
			{"failed", h.ended(orderly.Failed, 3, ""), "Failed", "Finished", code(3), "ExitCodeNonzero"},
			{"timeout", h.ended(orderly.Timeout, 137, ""), "Timeout", "Failed", code(137), "ExecutionTimeout"},
			{"error", orderly.Report{State: orderly.Error, ErrorCode: orderly.ClientRestarted}, "Error", "Failed", nil, "ClientRestarted"},
			{"invalid", orderly.Report{State: orderly.Invalid, ErrorCode: orderly.DirectoryNotExists}, "Invalid", "Failed", nil, "DirectoryNotExists"},
			{"aborted", orderly.Report{State: orderly.Aborted}, "Aborted", "Failed", nil, "DeliveryTimeout"},
			{"running", orderly.Report{State: orderly.Running}, "Running", "Running", nil, ""},
			{"accepted", orderly.Report{State: orderly.Pending}, "Pending", "Running", nil, ""},
		} {
			invoke := h.ran(script(id), map[string]orderly.Report{id: c.report})
			v := h.only(values{"InvokeId": invoke})
			row, result := v.InvokeInstances.InvokeInstance[0], h.result(values{"InvokeId": invoke})
			got := fmt.Sprint(row.InvocationStatus, row.InstanceInvokeStatus, show(row.ExitCode), row.ErrorCode)
			same := fmt.Sprint(result.InvocationStatus, result.InvokeRecordStatus, show(result.ExitCode), result.ErrorCode)
			want := fmt.Sprint(c.state, c.legacy, show(c.exit), c.fault)
			if got != want || same != want {
				t.Errorf("%s: %s and %s, want %s", c.name, got, same, want)
			}
			if (row.ErrorInfo == "") != (c.fault == "") || row.ErrorInfo != result.ErrorInfo {
				t.Errorf("%s: ErrorInfo %q and %q", c.name, row.ErrorInfo, result.ErrorInfo)
			}
			ended := !orderly.State(c.state).Live()
			if (row.FinishTime != "") != ended || row.FinishTime != result.FinishedTime || row.StopTime != "" || row.CreationTime != v.CreationTime {
				t.Errorf("%s: times %+v and %+v", c.name, row, result)
			}
			if v.InvokeStatus != c.legacy {
				t.Errorf("%s: InvokeStatus %s, want %s", c.name, v.InvokeStatus, c.legacy)
			}
		}
	})
}

func show(code *int) string {
	if code == nil {
		return "none"
	}
	return fmt.Sprint(*code)
}

// Semantics 10.1: every code that can occur has its sentence, and the published ones are as printed.
func TestErrorInfo(t *testing.T) {
	published := map[string]string{
		"InstanceNotExists":    "The specified instance does not exist",
		"InstanceReleased":     "The specified instance was released during task execution",
		"InstanceNotRunning":   "The specified instance was not running during task execution",
		"CommandNotApplicable": "The OS type of the instance does not support the specified command type",
		"AccountNotExists":     "The specified account does not exist",
		"DirectoryNotExists":   "The specified directory does not exist",
		"ClientNotRunning":     "The aliyun service is not running on the instance",
		"ClientNotResponse":    "The aliyun service in the instance does not response",
		"DeliveryTimeout":      "The command delivery has been timeout",
		"ExecutionTimeout":     "The command execution has been timeout",
		"ExecutionException":   "The command execution got an exception",
		"ExitCodeNonzero":      "The command execution exit code is not zero",
	}
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		seen := map[string]string{}
		for _, code := range constants(t, "fault.go", "ErrorCode") {
			invoke := h.ran(script(id), map[string]orderly.Report{id: {State: orderly.Error, ErrorCode: orderly.ErrorCode(code)}})
			row := h.result(values{"InvokeId": invoke})
			if want := published[code]; want != "" && row.ErrorInfo != want {
				t.Errorf("%s says %q, want %q", code, row.ErrorInfo, want)
			}
			if row.ErrorCode != code || row.ErrorInfo == "" || seen[row.ErrorInfo] != "" {
				t.Errorf("%s is shown as %s, %q, which is that of %q", code, row.ErrorCode, row.ErrorInfo, seen[row.ErrorInfo])
			}
			seen[row.ErrorInfo] = code
		}
		invoke := h.ran(script(id), map[string]orderly.Report{id: {State: orderly.Error, ErrorCode: "OfANewerAgent"}})
		if row := h.result(values{"InvokeId": invoke}); row.ErrorCode != "OfANewerAgent" || row.ErrorInfo == "" {
			t.Errorf("a code without a sentence is shown as %q, %q", row.ErrorCode, row.ErrorInfo)
		}
	})
}

// STOP-4 to STOP-6, LG-1.
func TestStop(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		handed, done := h.online(), h.online()
		away := h.machine(orderly.Linux)
		id := h.ran(script(handed, done, away), map[string]orderly.Report{done: h.ended(orderly.Success, 0, "")})
		call[struct{}](h, "StopInvocation", values{"InvokeId": id, "InstanceId.1": away, "InstanceId.2": away})
		call[struct{}](h, "StopInvocation", values{"InvokeId": id})
		for i, want := range []string{"Stopping Stopping true", "Success Finished false", "Cancelled Stopped true"} {
			row := h.only(values{"InvokeId": id}).InvokeInstances.InvokeInstance[i]
			got := fmt.Sprint(row.InvocationStatus, " ", row.InstanceInvokeStatus, " ", row.StopTime != "")
			if got != want {
				t.Errorf("instance %d: %s, want %s", i, got, want)
			}
		}
		h.as(other).refused("StopInvocation", values{"InvokeId": id}, 404, "InvalidInvokeId.NotFound")
	})
}

func TestOutputs(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		kept := strings.Repeat("x", orderly.MaxOutput-4)
		for _, c := range []struct {
			rule    string
			report  orderly.Report
			plain   string
			dropped int64
		}{
			{"OUT-1", h.ended(orderly.Success, 0, "fine\n"), "fine\n", 0},
			{"OUT-2 cut inside the first character", tailed(h.ended(orderly.Success, 0, "\xa9é"+kept+"!"), 100_000), "é" + kept + "!", 100_000},
			{"OUT-2 kept whole", h.ended(orderly.Success, 0, "\xa9 no text"), "\uFFFD no text", 0},
			{"OUT-2 more to come", orderly.Report{State: orderly.Running, Output: []byte("caf\xc3")}, "caf", 0},
			{"OUT-2 more to come", orderly.Report{State: orderly.Running, Output: []byte("café")}, "café", 0},
			{"OUT-2 over", h.ended(orderly.Failed, 1, "caf\xc3"), "caf\uFFFD", 0},
			{"OUT-1 clamp", tailed(h.ended(orderly.Success, 0, "end"), 1<<40), "end", math.MaxInt32},
		} {
			invoke := h.ran(script(id), map[string]orderly.Report{id: c.report})
			row := h.result(values{"InvokeId": invoke, "ContentEncoding": "PlainText"})
			if row.Output != c.plain || row.Dropped != c.dropped {
				t.Errorf("%s: %.40q, %d dropped, want %.40q, %d", c.rule, row.Output, row.Dropped, c.plain, c.dropped)
			}
			shown := h.only(values{"InvokeId": invoke, "IncludeOutput": "true", "ContentEncoding": "PlainText"}).InvokeInstances.InvokeInstance[0]
			blank := h.only(values{"InvokeId": invoke}).InvokeInstances.InvokeInstance[0]
			if shown.Output != c.plain || shown.Dropped != c.dropped || blank.Output != "" || blank.Dropped != c.dropped { // DI-8
				t.Errorf("%s: DescribeInvocations %.40q, %d, and without output %.40q, %d", c.rule, shown.Output, shown.Dropped, blank.Output, blank.Dropped)
			}
		}
	})
}

// tailed is r with more bytes written before those that were kept.
func tailed(r orderly.Report, more int64) orderly.Report {
	r.Total = int64(len(r.Output)) + more
	return r
}

// EN-1, EN-2, EN-5: how content is read and shown.
func TestEncodings(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		content := func(v values) (plain, encoded, unknown string) {
			invoke := call[run](h, "RunCommand", script(id).with("EnableParameter", "true").with(pairs(v)...)).InvokeId
			show := func(encoding string) string {
				return h.only(values{"InvokeId": invoke, "ContentEncoding": encoding}).CommandContent
			}
			return show("PlainText"), show(""), show("ROT13")
		}
		for _, c := range []struct {
			rule          string
			asked         values
			plain, base64 string
		}{
			{"EN-2 default", values{"CommandContent": "echo {{a}}"}, "echo {{a}}", "ZWNobyB7e2F9fQ=="},
			{"EN-2 any case", values{"CommandContent": "ZWNobw==", "ContentEncoding": "bASE64"}, "echo", "ZWNobw=="},
			{"EN-2 invalid is plain", values{"CommandContent": "ZWNobw==", "ContentEncoding": "hex"}, "ZWNobw==", "WldOb2J3PT0="},
		} {
			plain, encoded, unknown := content(c.asked)
			if plain != c.plain || encoded != c.base64 || unknown != c.base64 {
				t.Errorf("%s: %q, %q, %q, want %q and %q", c.rule, plain, encoded, unknown, c.plain, c.base64)
			}
		}
		for encoding, want := range map[string]string{"": "true", "hex": "true", "PlainText": "dHJ1ZQ=="} { // CreateCommand: the other default
			cmd := call[run](h, "CreateCommand", aCommand.with("ContentEncoding", encoding)).CommandId
			got := call[commands](h, "DescribeCommands", values{"CommandId": cmd, "ContentEncoding": "PlainText"}).Commands.Command[0]
			if got.CommandContent != want {
				t.Errorf("EN-2 CreateCommand %q: %q, want %q", encoding, got.CommandContent, want)
			}
		}
	})
}

func pairs(v values) (list []string) {
	for name, value := range v {
		list = append(list, name, value)
	}
	return list
}

// TGT-6, DLV-1: a machine that is away is given up at once, unless it is to be waited for.
func TestMachinesThatAreAway(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.away(orderly.Linux)
		gone := h.result(values{"InvokeId": call[run](h, "RunCommand", script(id)).InvokeId})
		if gone.InvocationStatus != "Aborted" || gone.ErrorCode != "InstanceNotRunning" {
			t.Errorf("without DeliveryTimeout: %+v", gone)
		}
		awaited := h.result(values{"InvokeId": call[run](h, "RunCommand", script(id).with("DeliveryTimeout", "600")).InvokeId})
		if awaited.InvocationStatus != "Pending" {
			t.Errorf("with DeliveryTimeout: %+v", awaited)
		}
	})
}

// TGT-3, TGT-7: targets by tags.
func TestTargetsByTags(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		web := h.online(orderly.Tag{Key: "role", Value: "web"}, orderly.Tag{Key: "empty"})
		db := h.online(orderly.Tag{Key: "role", Value: "db"}, orderly.Tag{Key: "empty"})
		h.as(other).online()
		command := call[run](h, "CreateCommand", aCommand).CommandId
		for _, c := range []struct {
			rule string
			tags []string
			want []string
		}{
			{"TGT-3", []string{"ResourceTag.1.Key", "role", "ResourceTag.1.Value", "web"}, []string{web}},
			{"TGT-3 all of them", []string{"ResourceTag.1.Key", "role", "ResourceTag.1.Value", "db", "ResourceTag.2.Key", "empty"}, []string{db}},
			{"TGT-3 the empty value", []string{"ResourceTag.1.Key", "empty"}, []string{web, db}},
			{"TGT-7", []string{"ResourceTag.1.Key", "orderly:all"}, []string{web, db}},
			{"TGT-7 and more", []string{"ResourceTag.1.Key", "orderly:all", "ResourceTag.2.Key", "role", "ResourceTag.2.Value", "db"}, []string{db}},
		} {
			ran := call[run](h, "RunCommand", tagged(c.tags...)).InvokeId
			invoked := call[run](h, "InvokeCommand", values{"CommandId": command}.with(c.tags...)).InvokeId
			for _, id := range []string{ran, invoked} {
				var got []string
				for _, row := range h.only(values{"InvokeId": id}).InvokeInstances.InvokeInstance {
					got = append(got, row.InstanceId)
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("%s: %v, want %v", c.rule, got, c.want)
				}
			}
		}
	})
}

// RM-3, TERM-1, CMD-5, CMD-6: what an invocation takes over.
func TestRunParameters(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		command := call[run](h, "CreateCommand", aCommand.with("Timeout", "1200")).CommandId
		for _, c := range []struct {
			rule, action string
			asked        values
			timeout      int
		}{
			{"CMD-5 default", "RunCommand", script(id), 60},
			{"CMD-5 raised", "RunCommand", script(id).with("Timeout", "3"), 10},
			{"CMD-5 raised", "RunCommand", script(id).with("Timeout", "0"), 10},
			{"CMD-5 raised", "RunCommand", script(id).with("Timeout", "-9223372036854775808"), 10},
			{"CMD-5 largest", "RunCommand", script(id).with("Timeout", "86400"), 86400},
			{"CMD-6 stored", "InvokeCommand", values{"CommandId": command, "InstanceId.1": id}, 1200},
			{"CMD-6 for this one", "InvokeCommand", values{"CommandId": command, "InstanceId": id, "Timeout": "30"}, 30},
			{"RM-3", "RunCommand", script(id).with("Timed", "true", "RepeatMode", "Once"), 60},
		} {
			v := h.only(values{"InvokeId": call[run](h, c.action, c.asked).InvokeId})
			if v.Timeout != c.timeout || v.Timed || v.RepeatMode != "Once" {
				t.Errorf("%s: Timeout %d, Timed %v, RepeatMode %s, want %d", c.rule, v.Timeout, v.Timed, v.RepeatMode, c.timeout)
			}
		}
	})
}
