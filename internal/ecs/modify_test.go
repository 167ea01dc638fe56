package ecs_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
)

// aModification is one of a schedule that exists.
var aModification = values{"InvokeId": "{schedule}"}

// ofNames is a content with parameters.
func ofNames(names ...string) string { return "echo {{" + strings.Join(names, "}} {{") + "}}" }

var changeRefusals = []refusal{
	{"required", "ModifyInvocationAttribute", nil, 400, "MissingParameter.InvokeId"},
	{"MIA-1", "ModifyInvocationAttribute", values{"InvokeId": "t-unknown"}, 404, "InvalidInvokeId.NotFound"},
	{"MIA-1", "ModifyInvocationAttribute", values{"InvokeId": "{task}"}, 403, "InvalidOperation.RepeatModeUnsupported"},
	{"MIA-1", "ModifyInvocationAttribute", values{"InvokeId": "{over}"}, 403, "InvalidOperation.InvokeAlreadyFinished"},
	{"EX-1", "ModifyInvocationAttribute", aModification.with("Frequency", "rate(1w)"), 400, "InvalidParameter.Frequency"},
	{"MIA-9", "ModifyInvocationAttribute", aModification.with("Frequency", "rate(60s)"), 400, "InvalidParameter.Frequency"},
	{"MIA-9", "ModifyInvocationAttribute", aModification.with("Frequency", "0/30 * * * * ?"), 400, "InvalidParameter.Frequency"},
	{"no text", "ModifyInvocationAttribute", aModification.with("Frequency", "\x00"), 400, "InvalidParameter.Frequency"},
	{"SZ-3", "ModifyInvocationAttribute", aModification.with("CommandContent", "!", "ContentEncoding", "Base64"), 400, "InvalidCommandContent.DecodeError"},
	{"SZ-1", "ModifyInvocationAttribute", aModification.with("CommandContent", long(18433)), 403, "InvalidCommandContent.LengthLimitExceeded"},
	{"SZ-2", "ModifyInvocationAttribute", aModification.with("CommandContent", long(18000)+"{{a}}", "EnableParameter", "true", "Parameters", `{"a":"`+long(434)+`"}`),
		403, "InvalidCommandContent.LengthLimitExceeded"},
	{"no text", "ModifyInvocationAttribute", aModification.with("CommandContent", "\x00"), 400, "InvalidParameter.CommandContent"},
	{"PAR-2", "ModifyInvocationAttribute", aModification.with("CommandContent", "{{}}", "EnableParameter", "true"), 400, "InvalidParameters.KeyEmpty"},
	{"PAR-2", "ModifyInvocationAttribute", aModification.with("CommandContent", "{{a b}}", "EnableParameter", "true"), 400, "InvalidParameters.KeyMalformed"},
	{"ENV-4", "ModifyInvocationAttribute", aModification.with("CommandContent", "{{ACS::Moon}}", "EnableParameter", "true"), 400, "InvalidParameters.KeyMalformed"},
	{"PAR-2", "ModifyInvocationAttribute", aModification.with("CommandContent", ofNames(long(65)), "EnableParameter", "true"), 403, "InvalidParameters.KeyLengthLimitExceeded"},
	{"PAR-2", "ModifyInvocationAttribute", aModification.with("CommandContent", placeholders(21), "EnableParameter", "true"), 403, "InvalidParameters.CountLimitExceeded"},
	{"PAR-3", "ModifyInvocationAttribute", aModification.with("Parameters", "[]"), 400, "InvalidParameters.KeyMalformed"},
	{"PAR-3", "ModifyInvocationAttribute", aModification.with("Parameters", `{"p 0":"x"}`), 400, "InvalidParameters.KeyMalformed"},
	{"PAR-3", "ModifyInvocationAttribute", aModification.with("Parameters", `{"p0":"\u0000"}`), 400, "InvalidParameters.KeyMalformed"},
	{"PAR-3", "ModifyInvocationAttribute", aModification.with("Parameters", `{"":"x"}`), 400, "InvalidParameters.KeyEmpty"},
	{"PAR-3", "ModifyInvocationAttribute", aModification.with("Parameters", `{"p0":"x","P0":"y"}`), 400, "InvalidParameters.KeyDuplicate"},
	{"PAR-3", "ModifyInvocationAttribute", aModification.with("Parameters", `{"other":"x"}`), 400, "InvalidParameters.KeyNotMatch"},
	{"PAR-5", "ModifyInvocationAttribute", aModification.with("Parameters", `{"p0":"x"}`, "EnableParameter", "false"), 400, "InvalidParameters.KeyNotMatch"},
	{"PAR-5", "ModifyInvocationAttribute", aModification.with("Parameters", `{"p0":"x"}`, "CommandContent", "echo {{p0}}"), 400, "InvalidParameters.KeyNotMatch"},
	{"PAR-3", "ModifyInvocationAttribute", aModification.with("Parameters", `{"`+long(65)+`":"x"}`), 403, "InvalidParameters.KeyLengthLimitExceeded"},
	{"PAR-3", "ModifyInvocationAttribute", aModification.with("Parameters", jsonObject(11)), 403, "InvalidParameters.CountLimitExceeded"},
	{"PAR-3", "ModifyInvocationAttribute", aModification.with("Parameters", `{"p0":{}}`), 403, "InvalidParameters.ValueTypeUnsupported"},
	{"MIA-8", "ModifyInvocationAttribute", aModification.with("InstanceId.1", "mi-unknown"), 404, "InvalidInstanceId.NotFound"},
	{"MIA-8", "ModifyInvocationAttribute", aModification.with(many("InstanceId", 101, "")...), 403, "InvalidInstanceId.CountLimitExceeded"},
	{"CMD-2", "ModifyInvocationAttribute", aModification.with("InstanceId.1", "{linux}", "InstanceId.2", "{windows}"), 403, "InvalidInstanceId.OSTypeUnsupported"},
	{"TOK-1", "ModifyInvocationAttribute", aModification.with("ClientToken", "é"), 400, "InvalidClientToken.Malformed"},
	{"form", "ModifyInvocationAttribute", aModification.with("EnableParameter", "perhaps"), 400, "InvalidParameter.EnableParameter"},
}

// modifying are the codes that the text lists for ModifyInvocationAttribute.
const modifying = `400 InvalidParameter.Frequency, InvalidParameters.KeyDuplicate, InvalidParameters.KeyNotMatch, InvalidParameters.KeyMalformed,
	InvalidParameters.KeyEmpty, InvalidCommandContent.DecodeError
	403 InvalidInstanceId.OSTypeUnsupported, InvalidOperation.RepeatModeUnsupported, InvalidOperation.InvokeAlreadyFinished,
	InvalidOperation.CloudAssistantVersionUnsupported, InvalidOperation.ModifyPublicCommandUnsupported,
	InvalidCommandContent.LengthLimitExceeded, InvalidParameters.CountLimitExceeded, InvalidParameters.KeyLengthLimitExceeded,
	InvalidParameters.ValueTypeUnsupported, InvalidInstanceId.CountLimitExceeded, CommandLimitExceeded
	404 InvalidRegionId.NotFound, InvalidInvokeId.NotFound, InvalidInstanceId.NotFound, InvalidCommandId.NotFound 500 InternalError`

// newest is the last message to an instance.
func (h *house) newest(instance string) (m engine.Message) {
	h.t.Helper()
	h.wire.mu.Lock()
	defer h.wire.mu.Unlock()
	for _, sent := range h.wire.sent {
		if sent.Instance == instance {
			m = sent
		}
	}
	return m
}

// A schedule is what there is to see of an invocation that repeats.
type schedule struct {
	CommandId, CommandContent, Parameters, Frequency string
	InvokeInstances                                  struct {
		InvokeInstance []struct {
			InstanceId, InvocationStatus string
			Repeats                      int
		}
	}
}

func (h *house) schedule(id string) schedule {
	h.t.Helper()
	list := call[struct {
		Invocations struct{ Invocation []schedule }
	}](h, "DescribeInvocations", values{"InvokeId": id, "ContentEncoding": "PlainText"}).Invocations.Invocation
	if len(list) != 1 {
		h.t.Fatalf("%d invocations %s", len(list), id)
	}
	return list[0]
}

// modify makes a modification and returns the command's ID.
func (h *house) modify(id string, pairs ...string) string {
	h.t.Helper()
	return call[struct{ CommandId string }](h, "ModifyInvocationAttribute", values{"InvokeId": id}.with(pairs...)).CommandId
}

func TestAnswersOfModifications(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		machine, second := h.online(), h.online()
		id := call[run](h, "RunCommand", script(machine).with("Frequency", "rate(1h)", "EnableParameter", "true", "CommandContent", "echo {{a}}")).InvokeId
		h.report(machine, armed)
		h.golden("ModifyInvocationAttribute", "ModifyInvocationAttribute", values{
			"InvokeId": id, "CommandContent": "ZWNobyB7e2J9fQ==", "ContentEncoding": "base64", "EnableParameter": "true", "Parameters": `{"b":"c"}`,
			"Frequency": "rate(2h)", "InstanceId.1": second, "ClientToken": "once",
		})
		h.golden("DescribeInvocations-modified", "DescribeInvocations", values{"InvokeId": id, "ContentEncoding": "PlainText"})
	})
}

func TestModifiedScheduleReachesItsAgent(t *testing.T) { // MIA-2, MIA-5, MIA-6, MIA-7
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		ran := call[run](h, "RunCommand", script(machine).with("Frequency", "rate(1h)", "EnableParameter", "true", "CommandContent", "echo {{a}}{{b}}",
			"Parameters", `{"a":"1","B":"2"}`))
		h.report(machine, armed)
		h.report(machine, inRun(1, h.began()))
		for i, c := range []struct {
			name  string
			pairs []string
			same  bool // the command stays the same one
			want  schedule
		}{
			{"parameters", []string{"Parameters", `{"a":"3"}`}, true, schedule{CommandContent: "echo {{a}}{{b}}", Parameters: `{"a":"3"}`, Frequency: "rate(1h)"}},
			{"frequency", []string{"Frequency", "0 0 * * * ?"}, true, schedule{CommandContent: "echo {{a}}{{b}}", Parameters: `{"a":"3"}`, Frequency: "0 0 * * * ?"}},
			{"content keeps what it takes", []string{"CommandContent", "echo {{A}}", "EnableParameter", "true"}, false,
				schedule{CommandContent: "echo {{A}}", Parameters: `{"a":"3"}`, Frequency: "0 0 * * * ?"}},
			{"no parameters any more", []string{"EnableParameter", "false"}, true, schedule{CommandContent: "echo {{A}}", Parameters: `{}`, Frequency: "0 0 * * * ?"}},
			{"plain content", []string{"CommandContent", "ZWNobw==", "ContentEncoding", "PlainText"}, false, schedule{CommandContent: "ZWNobw==", Parameters: `{}`, Frequency: "0 0 * * * ?"}},
			{"content in Base64", []string{"CommandContent", "ZWNobw==", "ContentEncoding", "Base64"}, false, schedule{CommandContent: "echo", Parameters: `{}`, Frequency: "0 0 * * * ?"}},
		} {
			before := h.schedule(ran.InvokeId).CommandId
			command := h.modify(ran.InvokeId, c.pairs...)
			if (command == before) != c.same {
				t.Errorf("%s: command %s, before %s", c.name, command, before)
			}
			got := h.schedule(ran.InvokeId)
			c.want.CommandId, c.want.InvokeInstances = command, got.InvokeInstances
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.name, diff)
			}
			m := h.newest(machine)
			if m.Kind != engine.SendRun || m.Of.Version != i+1 || string(m.Of.Command.Content) != c.want.CommandContent || m.Of.Frequency != c.want.Frequency ||
				m.Of.Command.ID != command || m.Link == "" || m.Ran != 1 || m.Age < 0 || m.Age > time.Minute {
				t.Errorf("%s: sent %+v of %+v", c.name, m, m.Of)
			}
		}
		if got := h.schedule(ran.InvokeId).InvokeInstances.InvokeInstance[0]; got.InvocationStatus != "Running" || got.Repeats != 1 {
			t.Errorf("the run that goes on: %+v", got)
		}
		h.report(machine, over(orderly.Invalid, orderly.CommandContentDecodeError)) // T23
		if got := h.schedule(ran.InvokeId).InvokeInstances.InvokeInstance[0]; got.InvocationStatus != "Invalid" || got.Repeats != 1 {
			t.Errorf("refused by the agent: %+v", got)
		}
	})
}

// A modification that changes nothing is no new version; what does not count in a mode is left alone.
func TestModificationWithoutAChange(t *testing.T) { // MIA-2
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		ran := call[run](h, "RunCommand", script(machine).with("RepeatMode", "EveryReboot"))
		for _, pairs := range [][]string{nil, {"CommandContent", "echo hello"}, {"Frequency", "rate(2h)"}, {"Parameters", "{}"}, {"EnableParameter", "false"}, {"InstanceId.1", machine}} {
			if command := h.modify(ran.InvokeId, pairs...); command != ran.CommandId {
				t.Errorf("%v: command %s, want %s", pairs, command, ran.CommandId)
			}
		}
		got := h.schedule(ran.InvokeId)
		if m := h.newest(machine); m.Of.Version != 0 || got.Frequency != "" || len(got.InvokeInstances.InvokeInstance) != 1 {
			t.Errorf("version %d, %+v", m.Of.Version, got)
		}
	})
}

func TestInstancesAreAddedToASchedule(t *testing.T) { // MIA-8, T3
	each(t, func(t *testing.T, h *house) {
		first, second, third, gone := h.online(), h.online(), h.online(), h.away(orderly.Linux)
		for mode, states := range map[string][]string{"Period": {"Scheduled", "Pending", "Pending", "Aborted"}, "EveryReboot": {"Scheduled", "Scheduled", "Scheduled", "Scheduled"}} {
			asked := script(first).with("RepeatMode", mode)
			if mode == "Period" {
				asked = asked.with("Frequency", "rate(1h)")
			}
			id := call[run](h, "RunCommand", asked).InvokeId
			h.report(first, armed)
			h.report(first, inRun(1, h.ended(orderly.Success, 0, "")))
			h.modify(id, "InstanceId.1", second, "InstanceId.2", first, "InstanceId.3", third, "InstanceId.4", gone, "InstanceId.5", second)
			rows := h.schedule(id).InvokeInstances.InvokeInstance
			var got []string
			for i, r := range rows {
				if got = append(got, r.InvocationStatus); r.InstanceId != []string{first, second, third, gone}[i] || r.Repeats != map[bool]int{true: 1}[i == 0] {
					t.Errorf("%s: row %d is %+v", mode, i, r)
				}
			}
			if diff := cmp.Diff(states, got); diff != "" {
				t.Errorf("%s: states (-want +got):\n%s", mode, diff)
			}
			for _, machine := range []string{second, third} {
				if m := h.newest(machine); m.Kind != engine.SendRun || m.Of.ID != id || m.Of.Version != 0 || m.Link == "" || m.Ran != 0 {
					t.Errorf("%s: sent %+v", mode, m)
				}
			}
			h.report(third, inRun(1, h.ended(orderly.Success, 0, "")))
			if v := h.only(values{"InvokeId": id}); v.InvocationStatus != map[string]string{"Period": "Pending", "EveryReboot": "Scheduled"}[mode] || len(v.InvokeInstances.InvokeInstance) != 4 {
				t.Errorf("%s: %+v", mode, v)
			}
		}
	})
}

// MIA-5, KEEP-1: the command of a new content is kept, and counted, as the one before was. No content is
// fixed, neither of commands that are kept nor of others: none is public (MIA-4).
func TestCommandsOfModifiedSchedules(t *testing.T) {
	few := setting{engine: engine.Config{CommandQuota: 2, MaxTargets: 2}}
	eachWith(t, few, func(t *testing.T, h *house) {
		machine := h.online()
		listed := func() (ids []string) {
			for _, c := range call[struct {
				Commands struct {
					Command []struct{ CommandId, Name, CommandContent string }
				}
			}](h, "DescribeCommands", values{"ContentEncoding": "PlainText"}).Commands.Command {
				ids = append(ids, c.CommandId+" "+c.Name+" "+c.CommandContent)
			}
			return ids
		}
		fleeting := call[run](h, "RunCommand", script(machine).with("Frequency", "rate(1h)", "Name", "fleeting")).InvokeId
		command := h.modify(fleeting, "CommandContent", "date")
		if got := listed(); len(got) != 0 {
			t.Errorf("listed: %v", got)
		}
		h.refused("DeleteCommand", values{"CommandId": command}, 404, "InvalidCmdId.NotFound")
		kept := call[run](h, "RunCommand", script(machine).with("Frequency", "rate(1h)", "Name", "kept", "KeepCommand", "true"))
		second := h.modify(kept.InvokeId, "CommandContent", "date")
		if diff := cmp.Diff([]string{second + " kept date", kept.CommandId + " kept echo hello"}, listed()); diff != "" {
			t.Errorf("listed (-want +got):\n%s", diff)
		}
		h.refused("ModifyInvocationAttribute", values{"InvokeId": kept.InvokeId, "CommandContent": "uptime"}, 403, "CommandLimitExceeded")
		h.refused("DeleteCommand", values{"CommandId": second}, 403, "InvalidOperation.CommandInUse")
		call[struct{}](h, "DeleteCommand", values{"CommandId": kept.CommandId}) // nothing runs it any more
		h.modify(kept.InvokeId, "InstanceId.1", h.online())
		h.refused("ModifyInvocationAttribute", values{"InvokeId": kept.InvokeId, "InstanceId.1": h.online()}, 403, "InvalidInstanceId.CountLimitExceeded")
	})
}

// TOK-1: a modification that is sent again is made once.
func TestModificationIsMadeOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		id := call[run](h, "RunCommand", script(machine).with("Frequency", "rate(1h)")).InvokeId
		content := base64.StdEncoding.EncodeToString([]byte("date"))
		asked := []string{"CommandContent", content, "ContentEncoding", "Base64", "ClientToken", "once"}
		first := h.modify(id, asked...)
		h.modify(id, "CommandContent", "uptime")
		if again := h.modify(id, asked...); again != first || h.schedule(id).CommandContent != "uptime" {
			t.Errorf("again: command %s, want %s, content %q", again, first, h.schedule(id).CommandContent)
		}
		h.refused("ModifyInvocationAttribute", values{"InvokeId": id, "CommandContent": "ls", "ClientToken": "once"}, 403, "IdempotentParameterMismatch")
	})
}
