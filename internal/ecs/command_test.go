package ecs_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/orderly-run/orderly"
)

// A shownCommand is what DescribeCommands shows of one, all of it.
type shownCommand struct {
	CommandId, Name, Description, Type, CommandContent, WorkingDir, Launcher, Provider, ResourceGroupId, CreationTime string
	Timeout                                                                                                           int64
	EnableParameter                                                                                                   bool
	InvokeTimes                                                                                                       int
	ParameterNames                                                                                                    struct{ ParameterName []string }
	Tags                                                                                                              struct {
		Tag []struct{ TagKey, TagValue string }
	}
}

// command is the one with that ID, in plain text.
func (h *house) command(id string) shownCommand {
	h.t.Helper()
	list := call[struct {
		Commands struct{ Command []shownCommand }
	}](h, "DescribeCommands", values{"CommandId": id, "ContentEncoding": "PlainText"})
	if len(list.Commands.Command) != 1 {
		h.t.Fatalf("%d commands with ID %s", len(list.Commands.Command), id)
	}
	return list.Commands.Command[0]
}

// create makes a command and reads what was made of it, without its ID and time.
func (h *house) create(pairs ...string) shownCommand {
	h.t.Helper()
	c := h.command(call[run](h, "CreateCommand", aCommand.with(pairs...)).CommandId)
	if !strings.HasPrefix(c.CommandId, "c-hz0") || c.CreationTime == "" {
		h.t.Errorf("command %s of %s", c.CommandId, c.CreationTime)
	}
	c.CommandId, c.CreationTime = "", ""
	return c
}

func TestCommandsHaveTheirDefaults(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		want := shownCommand{Name: "n", Type: "RunShellScript", CommandContent: "true", Timeout: 60}
		if d := cmp.Diff(want, h.create("ResourceGroupId", "", "Timeout", "", "WorkingDir", "", "EnableParameter", "false"), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("defaults (-want +got)\n%s", d)
		}
		most := strings.Repeat("x", 18<<10) // 24 KB as Base64 (SZ-1)
		for _, c := range []struct {
			rule  string
			pairs []string
			want  func(*shownCommand)
		}{
			{"CMD-1", []string{"Type", "RunBatScript"}, func(c *shownCommand) { c.Type = "RunBatScript" }},
			{"CMD-1", []string{"Type", "RunPowerShellScript"}, func(c *shownCommand) { c.Type = "RunPowerShellScript" }},
			{"CMD-3", []string{"Name", strings.Repeat("ä", 128)}, func(c *shownCommand) { c.Name = strings.Repeat("ä", 128) }},
			{"CMD-3", []string{"Description", strings.Repeat("€", 512)}, func(c *shownCommand) { c.Description = strings.Repeat("€", 512) }},
			{"CMD-3", []string{"WorkingDir", "/" + long(199)}, func(c *shownCommand) { c.WorkingDir = "/" + long(199) }},
			{"CMD-3", []string{"Launcher", long(1024)}, func(c *shownCommand) { c.Launcher = long(1024) }},
			{"LA-1", []string{"Launcher", `python3 -u {{ACS::ScriptFileName|Ext(".py")}}`}, func(c *shownCommand) { c.Launcher = `python3 -u {{ACS::ScriptFileName|Ext(".py")}}` }},
			{"CMD-5", []string{"Timeout", "9"}, func(c *shownCommand) { c.Timeout = 10 }},
			{"CMD-5", []string{"Timeout", "0"}, func(c *shownCommand) { c.Timeout = 10 }},
			{"CMD-5", []string{"Timeout", "-1"}, func(c *shownCommand) { c.Timeout = 10 }},
			{"CMD-5", []string{"Timeout", "86400"}, func(c *shownCommand) { c.Timeout = 86400 }},
			{"EN-2", []string{"ContentEncoding", "PlainText"}, func(c *shownCommand) { c.CommandContent = "dHJ1ZQ==" }},
			{"EN-2", []string{"ContentEncoding", "Base64"}, func(*shownCommand) {}},
			{"EN-2", []string{"ContentEncoding", "plaintext"}, func(*shownCommand) {}},
			{"EN-2", []string{"ContentEncoding", "rot13"}, func(*shownCommand) {}},
			{"SZ-1", []string{"CommandContent", base64.StdEncoding.EncodeToString([]byte(most))}, func(c *shownCommand) { c.CommandContent = most }},
			{"SZ-1", []string{"ContentEncoding", "PlainText", "CommandContent", most}, func(c *shownCommand) { c.CommandContent = most }},
			{"TGT-4", []string{"ResourceGroupId", "rg-1"}, func(c *shownCommand) { c.ResourceGroupId = "rg-1" }},
			{"PAR-6", []string{"ContentEncoding", "PlainText", "CommandContent", "{{a}} {{}}"}, func(c *shownCommand) { c.CommandContent = "{{a}} {{}}" }},
			{"PAR-2", []string{"EnableParameter", "true", "ContentEncoding", "PlainText", "CommandContent", "{{ b }}{{\na\n}}{{B}}{{ACS::InstanceId}}"}, func(c *shownCommand) {
				c.EnableParameter, c.CommandContent, c.ParameterNames.ParameterName = true, "{{ b }}{{\na\n}}{{B}}{{ACS::InstanceId}}", []string{"b", "a"}
			}},
			{"PAR-2", []string{"EnableParameter", "true", "ContentEncoding", "PlainText", "CommandContent", placeholders(20) + "{{P0}}{{ACS::RegionId}}"}, func(c *shownCommand) {
				c.EnableParameter, c.CommandContent = true, placeholders(20)+"{{P0}}{{ACS::RegionId}}"
				for i := range 20 {
					c.ParameterNames.ParameterName = append(c.ParameterNames.ParameterName, fmt.Sprint("p", i))
				}
			}},
		} {
			expected := want
			c.want(&expected)
			if d := cmp.Diff(expected, h.create(c.pairs...), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("%s %.100q (-want +got)\n%s", c.rule, c.pairs, d)
			}
		}
	})
}

func TestContentsAreShownInTheEncodingAskedFor(t *testing.T) { // EN-1
	each(t, func(t *testing.T, h *house) {
		id := call[run](h, "CreateCommand", aCommand).CommandId
		for encoding, want := range map[string]string{"": "dHJ1ZQ==", "Base64": "dHJ1ZQ==", "rot13": "dHJ1ZQ==", "PlainText": "true"} {
			got := call[commands](h, "DescribeCommands", values{"CommandId": id, "ContentEncoding": encoding}).Commands.Command[0].CommandContent
			if got != want {
				t.Errorf("ContentEncoding %q: %q, want %q", encoding, got, want)
			}
		}
	})
}

// MOD-1, MOD-2, CMD-3, CMD-5, LA-1.
func TestModifyCommand(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		id := call[run](h, "CreateCommand", aCommand.with("Description", "d", "WorkingDir", "/srv", "Launcher", "sh -x", "Timeout", "30", "Tag.1.Key", "k")).CommandId
		before := h.command(id)
		invoked := values{"CommandId": id, "InstanceId.1": machine}
		old := call[run](h, "InvokeCommand", invoked).InvokeId
		was := h.shown(old)
		before.InvokeTimes = 1

		h.golden("ModifyCommand", "ModifyCommand", values{"CommandId": id})
		if d := cmp.Diff(before, h.command(id)); d != "" {
			t.Errorf("nothing was asked for (-want +got)\n%s", d)
		}
		steps := []struct {
			pairs []string
			want  func(*shownCommand)
		}{
			{[]string{"Name", "new", "CommandContent", "ZWNobw==", "ContentEncoding", "PlainText", "Type", "RunBatScript"}, func(c *shownCommand) { c.Name = "new" }},
			{[]string{"CommandContent", "not Base64"}, func(*shownCommand) {}},
			{[]string{"CommandContent", long(24576)}, func(*shownCommand) {}},
			{[]string{"Description", "new <d>", "WorkingDir", "/tmp", "Launcher", "python3", "Timeout", "5"}, func(c *shownCommand) {
				c.Description, c.WorkingDir, c.Launcher, c.Timeout = "new <d>", "/tmp", "python3", 10
			}},
			{[]string{"Timeout", "86400", "Name", ""}, func(c *shownCommand) { c.Timeout = 86400 }},
			{[]string{"Description", "", "Launcher", "", "WorkingDir", ""}, func(c *shownCommand) { c.Description, c.Launcher, c.WorkingDir = "", "", "" }},
			{[]string{"Name", strings.Repeat("ä", 128), "Launcher", long(1024)}, func(c *shownCommand) { c.Name, c.Launcher = strings.Repeat("ä", 128), long(1024) }},
		}
		for _, s := range steps {
			call[struct{}](h, "ModifyCommand", values{"CommandId": id}.with(s.pairs...))
			s.want(&before)
			if d := cmp.Diff(before, h.command(id)); d != "" {
				t.Errorf("%.100q (-want +got)\n%s", s.pairs, d)
			}
		}
		if d := cmp.Diff(was, h.shown(old)); d != "" {
			t.Errorf("an invocation from before (-want +got)\n%s", d)
		}
		now := h.shown(call[run](h, "InvokeCommand", invoked).InvokeId)
		if want := (ownSettings{before.Name, "", "", long(1024), 86400}); now != want {
			t.Errorf("an invocation from after %+v, want %+v", now, want)
		}
		h.as(other).refused("ModifyCommand", values{"CommandId": id, "Name": "mine"}, 404, "InvalidCmdId.NotFound")
		h.refused("ModifyCommand", values{"CommandId": id, "Name": "moved", "RegionId": "cn-beijing"}, 404, "InvalidCmdId.NotFound")
		h.refused("ModifyCommand", values{"CommandId": id, "Name": "half", "Timeout": "86401"}, 403, "InvalidTimeout.ExceedLimit")
		if got := h.command(id).Name; got != before.Name {
			t.Errorf("after refusals its name is %q", got)
		}
	})
}

// ownSettings are what an invocation has of its own from its command.
type ownSettings struct {
	CommandName, CommandDescription, WorkingDir, Launcher string
	Timeout                                               int64
}

func (h *house) shown(id string) ownSettings {
	h.t.Helper()
	list := call[struct {
		Invocations struct{ Invocation []ownSettings }
	}](h, "DescribeInvocations", values{"InvokeId": id}).Invocations.Invocation
	if len(list) != 1 {
		h.t.Fatalf("%d invocations %s", len(list), id)
	}
	return list[0]
}

// CMD-6, LA-1: what an invocation sets holds for it alone, and goes to the agent.
func TestInvocationsHaveSettingsOfTheirOwn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		id := call[run](h, "CreateCommand", aCommand.with("WorkingDir", "/srv", "Launcher", "sh -x", "Timeout", "30")).CommandId
		before := h.command(id)
		invoked := values{"CommandId": id, "InstanceId.1": machine}
		for _, c := range []struct {
			more []string
			want ownSettings
		}{
			{nil, ownSettings{"n", "", "/srv", "sh -x", 30}},
			{[]string{"Launcher", "python3 {{ACS::ScriptFileName}}"}, ownSettings{"n", "", "/srv", "python3 {{ACS::ScriptFileName}}", 30}},
			{[]string{"WorkingDir", "/tmp", "Timeout", "5"}, ownSettings{"n", "", "/tmp", "sh -x", 10}},
			{[]string{"WorkingDir", "", "Timeout", "", "Launcher", ""}, ownSettings{"n", "", "/srv", "sh -x", 30}},
		} {
			if got := h.shown(call[run](h, "InvokeCommand", invoked.with(c.more...)).InvokeId); got != c.want {
				t.Errorf("%q: %+v, want %+v", c.more, got, c.want)
			}
			h.wire.mu.Lock()
			if sent := h.wire.sent[len(h.wire.sent)-1].Of.Command; sent.Launcher != c.want.Launcher || sent.WorkingDir != c.want.WorkingDir {
				t.Errorf("%q: sent %+v", c.more, sent)
			}
			h.wire.mu.Unlock()
		}
		before.InvokeTimes = 4
		if d := cmp.Diff(before, h.command(id)); d != "" {
			t.Errorf("the command (-want +got)\n%s", d)
		}
		ran := call[run](h, "RunCommand", script(machine).with("Launcher", "perl", "KeepCommand", "true"))
		if h.shown(ran.InvokeId).Launcher != "perl" || h.command(ran.CommandId).Launcher != "perl" {
			t.Errorf("RunCommand with a launcher: %+v, %+v", h.shown(ran.InvokeId), h.command(ran.CommandId))
		}
		if row := call[struct {
			Invocation struct {
				InvocationResults struct{ InvocationResult []struct{ Launcher string } }
			}
		}](h, "DescribeInvocationResults", values{"InvokeId": ran.InvokeId}); row.Invocation.InvocationResults.InvocationResult[0].Launcher != "perl" {
			t.Errorf("its result: %+v", row)
		}
		if h.command(call[run](h, "RunCommand", script(machine).with("KeepCommand", "true")).CommandId).Name != "" { // CMD-9
			t.Error("a command without a name got one")
		}
	})
}

// DEL-1, DEL-2, DC-2, KEEP-1.
func TestDeletedCommandsLeaveTheirPast(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		machine := h.online()
		id := call[run](h, "CreateCommand", aCommand).CommandId
		invoked := call[run](h, "InvokeCommand", values{"CommandId": id, "InstanceId.1": machine}).InvokeId
		h.refused("DeleteCommand", values{"CommandId": id}, 403, "InvalidOperation.CommandInUse")
		h.report(machine, h.ended(orderly.Success, 0, "done"))
		call[struct{}](h, "DeleteCommand", values{"CommandId": id})
		if n := call[page](h, "DescribeCommands", nil).TotalCount; n != 0 {
			t.Errorf("%d commands are listed", n)
		}
		for _, filter := range []values{{"InvokeId": invoked}, {"CommandId": id}, {"InstanceId": machine}} {
			if got := h.only(filter); got.InvokeId != invoked || got.CommandId != id || got.CommandName != "n" || got.CommandContent != "dHJ1ZQ==" {
				t.Errorf("by %v: %+v", filter, got)
			}
			if row := h.result(filter); row.InvokeId != invoked || row.Output != base64.StdEncoding.EncodeToString([]byte("done")) {
				t.Errorf("by %v: %+v", filter, row)
			}
		}
		h.refused("DeleteCommand", values{"CommandId": id}, 404, "InvalidCmdId.NotFound")
		h.refused("InvokeCommand", values{"CommandId": id, "InstanceId.1": machine}, 404, "InvalidCmdId.NotFound")
	})
}

// PG-1, PG-5: commands in pages, newest first.
func TestCommandsAreListedInPages(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var want []string
		for n := range 12 {
			call[run](h, "CreateCommand", aCommand.with("Name", fmt.Sprint("n", n)))
			want = append([]string{fmt.Sprint("n", n)}, want...)
		}
		first := call[commands](h, "DescribeCommands", nil)
		second := call[commands](h, "DescribeCommands", values{"NextToken": first.NextToken})
		if got := slices.Concat(first.names(), second.names()); !slices.Equal(got, want) || len(first.names()) != 10 || second.NextToken != "" || first.TotalCount != 12 {
			t.Errorf("pages %v and %v", first, second)
		}
		if third := call[commands](h, "DescribeCommands", values{"PageSize": "5", "PageNumber": "3"}); !slices.Equal(third.names(), want[10:]) || third.PageNumber != 3 || third.PageSize != 5 {
			t.Errorf("third page %+v", third)
		}
		h.refused("DescribeCommands", values{"NextToken": first.NextToken, "Name": "n*"}, 400, "InvalidParameter.NextToken")
	})
}
