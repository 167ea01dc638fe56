package ecs_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
)

// A shownRun is what DescribeInvocations shows of how a command is run.
type shownRun struct {
	CommandId, CommandName, CommandDescription, CommandType, CommandContent string
	Parameters, WorkingDir, Username, Launcher, TerminationMode             string
	Timeout                                                                 int64
}

// setup is how an invocation is shown to run, in plain text.
func (h *house) setup(invoke string) shownRun {
	h.t.Helper()
	list := call[struct {
		Invocations struct{ Invocation []shownRun }
	}](h, "DescribeInvocations", values{"InvokeId": invoke, "ContentEncoding": "PlainText"}).Invocations.Invocation
	if len(list) != 1 {
		h.t.Fatalf("%d invocations with ID %s", len(list), invoke)
	}
	return list[0]
}

// script is the text that the agent of an instance is given to run, from the newest message to it.
func (h *house) script(instance string) string {
	h.t.Helper()
	h.wire.mu.Lock()
	defer h.wire.mu.Unlock()
	text := ""
	for _, m := range h.wire.sent {
		if v := m.Of; m.Instance == instance && v != nil {
			text = string(v.Command.Content)
			if v.Command.EnableParameter {
				text = string(orderly.Render(v.Command.Content, v.Parameters, orderly.Builtins{InvokeID: "t", InstanceID: instance}))
			}
		}
	}
	return text
}

// PAR-1, PAR-3, PAR-4, PAR-6, ENV-1, ENV-5, EN-4, EN-5: how values get into a script, and that
// what is shown is the script before they did.
func TestParametersOfARun(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		key := long(64)
		for _, c := range []struct {
			rule, content, given, shown, runs string
			disabled                          bool
		}{
			{"PAR-1", "echo {{a}} {{ a }}{{\n\ta\r\n}}", `{"a":"x"}`, `{"a":"x"}`, "echo x xx", false},
			{"PAR-2", "echo {{Name}}", `{"nAME":"x"}`, `{"nAME":"x"}`, "echo x", false},
			{"PAR-3 any scalar", "{{a}} {{b}} {{c}}", `{"a":1.50,"b":true,"c":"z"}`, `{"a":"1.50","b":"true","c":"z"}`, "1.50 true z", false},
			{"PAR-3 an empty value", "[{{a}}]", `{"a":""}`, `{"a":""}`, "[]", false},
			{"PAR-3 ten", placeholders(12), jsonObject(10), jsonObject(10), strings.Repeat("x", 10), false},
			{"PAR-3 a key of 64", "{{" + key + "}}", `{"` + key + `":"x"}`, `{"` + key + `":"x"}`, "x", false},
			{"PAR-3 as SDKs escape it", "{{a}}", `{"a":"Jack \u0026 \u003cJill\u003e"}`, `{"a":"Jack & <Jill>"}`, "Jack & <Jill>", false},
			{"PAR-4", "[{{a}}{{b}}]", `{"b":"x"}`, `{"b":"x"}`, "[x]", false},
			{"PAR-4 none given", "[{{a}}]", "", "{}", "[]", false},
			{"PAR-4 an empty object", "[{{a}}]", "{}", "{}", "[]", false},
			{"PAR-1 a value is not looked into", "{{a}}", `{"a":"{{b}}"}`, `{"a":"{{b}}"}`, "{{b}}", false},
			{"ENV-1 needs no value", "{{ACS::InstanceId}} {{ACS::InvokeId}}", "", "{}", id + " t", false},
			{"ENV-5", "{{ ACS :: InstanceId }}", "", "{}", id, false},
			{"PAR-6", "{{a}} {{}} {{a b}} {{ACS::Moon}}", "", "{}", "{{a}} {{}} {{a b}} {{ACS::Moon}}", true},
			{"PAR-5 none given", "{{a}}", "{}", "{}", "{{a}}", true},
		} {
			enable := fmt.Sprint(!c.disabled)
			v := script(id).with("CommandContent", c.content, "EnableParameter", enable, "Parameters", c.given)
			ran := call[run](h, "RunCommand", v).InvokeId
			if got := h.script(id); got != c.runs {
				t.Errorf("%s: runs %q, want %q", c.rule, got, c.runs)
			}
			stored := h.command(call[run](h, "CreateCommand", aCommand.with("ContentEncoding", "PlainText", "CommandContent", c.content, "EnableParameter", enable)).CommandId)
			invoked := call[run](h, "InvokeCommand", values{"CommandId": stored.CommandId, "InstanceId.1": id, "Parameters": c.given}).InvokeId
			if got := h.script(id); got != c.runs {
				t.Errorf("%s: runs %q when it is stored, want %q", c.rule, got, c.runs)
			}
			for _, invoke := range []string{ran, invoked} {
				if got := h.setup(invoke); got.CommandContent != c.content || got.Parameters != c.shown {
					t.Errorf("%s: shows %q with %s, want %q with %s", c.rule, got.CommandContent, got.Parameters, c.content, c.shown)
				}
			}
			if c.disabled && len(stored.ParameterNames.ParameterName) != 0 {
				t.Errorf("%s: ParameterNames %q, want none", c.rule, stored.ParameterNames.ParameterName)
			}
		}
	})
}

// PAR-7: in order of first appearance, without built-in ones.
func TestParameterNamesAreThoseOfTheContent(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ran := call[run](h, "RunCommand", script(h.online()).with("KeepCommand", "true", "EnableParameter", "true",
			"CommandContent", "{{z}} {{ACS::RegionId}} {{a}} {{Z}} {{ACS :: InvokeId}} {{m}}"))
		got := h.command(ran.CommandId).ParameterNames.ParameterName
		if diff := cmp.Diff([]string{"z", "a", "m"}, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

// SZ-1, SZ-2: the largest contents, measured with their parameters in.
func TestContentsOfTheLargestSize(t *testing.T) {
	const most = 18 << 10 // bytes, 24 KB as Base64
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		enabled := script(id).with("EnableParameter", "true")
		encoded := base64.StdEncoding.EncodeToString([]byte("\x00\xff" + long(most-2)))
		for name, v := range map[string]values{
			"SZ-1 plain":             script(id).with("CommandContent", long(most)),
			"SZ-1 kept":              script(id).with("CommandContent", long(most), "KeepCommand", "true"),
			"SZ-1 encoded":           script(id).with("CommandContent", encoded, "ContentEncoding", "Base64"),
			"SZ-2 by its parameters": enabled.with("CommandContent", "{{a}}", "Parameters", `{"a":"`+long(most)+`"}`),
			"SZ-2 larger before":     enabled.with("CommandContent", "x"+strings.Repeat("{{a}}", most), "Parameters", `{"a":""}`),
			"SZ-2 without values":    enabled.with("CommandContent", strings.Repeat("{{a}}", most)),
		} {
			if a := h.send("RunCommand", "JSON", v); a.status != 200 {
				t.Errorf("%s: %s", name, a.body)
			}
		}
		for name, v := range map[string]values{
			"SZ-1 plain":             script(id).with("CommandContent", long(most+1)),
			"SZ-1 encoded":           script(id).with("CommandContent", base64.StdEncoding.EncodeToString([]byte(long(most+1))), "ContentEncoding", "Base64"),
			"SZ-2 by its parameters": enabled.with("CommandContent", "{{a}}", "Parameters", `{"a":"`+long(most+1)+`"}`),
			"SZ-2 in UTF-8":          enabled.with("CommandContent", "{{a}}", "Parameters", `{"a":"`+strings.Repeat("é", most/2+1)+`"}`),
			"SZ-2 built-in ones":     enabled.with("CommandContent", long(most-18)+"{{ACS::InstanceId}}"),
		} {
			t.Log(name)
			h.refused("RunCommand", v, 403, "CmdContent.ExceedLimit")
		}
	})
}

// CMD-3: texts of the largest size.
func TestTextsOfTheLargestSize(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		want := shownRun{
			CommandName: strings.Repeat("ä", 128), CommandDescription: strings.Repeat("€", 512), CommandType: "RunShellScript", CommandContent: "echo hello",
			Parameters: "{}", WorkingDir: "/" + strings.Repeat("ü", 199), Username: strings.Repeat("ß", 255), Launcher: long(1024), TerminationMode: "Process", Timeout: 60,
		}
		v := script(h.online()).with("Name", want.CommandName, "Description", want.CommandDescription, "WorkingDir", want.WorkingDir, "Username", want.Username,
			"Launcher", want.Launcher, "WindowsPasswordName", strings.Repeat("ß", 255), "ClientToken", strings.Repeat("~", 63)+" ")
		ran := call[run](h, "RunCommand", v)
		want.CommandId = ran.CommandId
		if diff := cmp.Diff(want, h.setup(ran.InvokeId)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

// CMD-5: what is asked for, the default without, and never less than ten seconds: 0 is not none.
func TestTimeoutsOfRuns(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		command := call[run](h, "CreateCommand", aCommand.with("Timeout", "1200")).CommandId
		for asked, want := range map[string][2]int64{ // of RunCommand, of InvokeCommand
			"": {60, 1200}, "0": {10, 10}, "-5": {10, 10}, "1": {10, 10}, "9": {10, 10}, "10": {10, 10}, "11": {11, 11}, "86400": {86400, 86400},
		} {
			ran := h.setup(call[run](h, "RunCommand", script(id).with("Timeout", asked)).InvokeId).Timeout
			invoked := h.setup(call[run](h, "InvokeCommand", values{"CommandId": command, "InstanceId.1": id, "Timeout": asked}).InvokeId).Timeout
			if got := [2]int64{ran, invoked}; got != want {
				t.Errorf("Timeout %q: %d, want %d", asked, got, want)
			}
		}
	})
}

// CMD-6, CMD-7, CMD-8: what InvokeCommand says holds for that invocation, and else what is stored.
func TestInvocationsOwnSettings(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		command := call[run](h, "CreateCommand", aCommand.with("Timeout", "30", "WorkingDir", "/srv", "Launcher", "sh -x", "Description", "d")).CommandId
		before := h.command(command)
		invoke := func(pairs ...string) shownRun {
			return h.setup(call[run](h, "InvokeCommand", values{"CommandId": command, "InstanceId.1": id}.with(pairs...)).InvokeId)
		}
		stored := shownRun{
			CommandId: command, CommandName: "n", CommandDescription: "d", CommandType: "RunShellScript", CommandContent: "true",
			Parameters: "{}", WorkingDir: "/srv", Launcher: "sh -x", TerminationMode: "Process", Timeout: 30,
		}
		if diff := cmp.Diff(stored, invoke("WorkingDir", "", "Launcher", "", "Username", "", "Timeout", "")); diff != "" {
			t.Errorf("as stored (-want +got)\n%s", diff)
		}
		own := stored
		own.WorkingDir, own.Launcher, own.Username, own.TerminationMode, own.Timeout = "/tmp", "sh -e", "ann", "ProcessTree", 40
		if diff := cmp.Diff(own, invoke("WorkingDir", "/tmp", "Launcher", "sh -e", "Username", "ann", "TerminationMode", "ProcessTree", "Timeout", "40")); diff != "" {
			t.Errorf("its own (-want +got)\n%s", diff)
		}
		if diff := cmp.Diff(stored, invoke()); diff != "" {
			t.Errorf("afterwards (-want +got)\n%s", diff)
		}
		after := h.command(command)
		before.InvokeTimes = after.InvokeTimes
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("the command changed (-before +after)\n%s", diff)
		}
	})
}
