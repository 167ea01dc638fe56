package swas_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
	"github.com/orderly-run/orderly/internal/swas"
)

// SW-3: commands and invocations of one dialect are nothing to the other; machines are the same.
func TestDialectsAreApart(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		m, other := h.machine(orderly.Linux), orderly.Caller{Account: account}
		mine := call[began](h, "CreateCommand", aCommand.with("Tag.1.Key", "k")).CommandId
		ran := call[began](h, "RunCommand", script(m)).InvokeId
		theirs, err := h.engine.CreateCommand(t.Context(), other, orderly.Command{Region: region, Name: "greet", Type: orderly.RunShellScript}, engine.Repetition{})
		must(t, err)
		began, err := h.engine.InvokeCommand(t.Context(), other, engine.Request{Region: region, Command: orderly.Command{ID: theirs}, Target: orderly.Target{Instances: []string{m.id}}}, engine.Repetition{})
		must(t, err)

		if r := call[commands](h, "DescribeCommands", values{"Provider": "User"}); r.TotalCount != 1 || r.Commands[0].CommandId != mine {
			t.Errorf("commands %+v, want %s alone", r, mine)
		}
		for _, v := range []values{{}, {"InstanceId": m.name}, {"CommandName": "hello"}, {"InvocationStatus": "Pending"}} {
			if r := call[invocations](h, "DescribeCommandInvocations", v); r.TotalCount != 1 || r.CommandInvocations[0].InvokeId != ran {
				t.Errorf("invocations by %v: %+v, want %s alone", v, r, ran)
			}
		}
		if r := call[onOne](h, "DescribeInvocations", values{"InstanceId": m.name}); r.TotalCount != 1 || r.Invocations[0].InvokeId != ran {
			t.Errorf("invocations on a machine: %+v, want %s alone", r, ran)
		}
		if r := call[invocations](h, "DescribeCommandInvocations", values{"InvokeId": began.InvokeID}); r.TotalCount != 0 {
			t.Errorf("the other dialect's invocation is found: %+v", r)
		}
		h.refused("DescribeInvocationResult", values{"InvokeId": began.InvokeID, "InstanceId": m.name}, 404, "InvalidInvokeId.NotFound")
		h.refused("InvokeCommand", values{"CommandId": theirs, "InstanceIds": list(m)}, 404, "InvalidCmdId.NotFound")
		h.refused("UpdateCommandAttribute", values{"CommandId": theirs}, 404, "InvalidCmdId.NotFound")
		h.refused("DeleteCommand", values{"CommandId": theirs}, 404, "InvalidCmdId.NotFound")
		h.refused("TagResources", values{"ResourceType": "command", "ResourceId.1": theirs, "Tag.1.Key": "k"}, 404, "InvalidResourceId.NotFound")

		list, n, err := h.engine.Invocations(t.Context(), other, store.InvocationFilter{Region: region}, store.Page{Limit: 9})
		if err != nil || n != 1 || list[0].ID != began.InvokeID {
			t.Errorf("the other dialect has %d invocations, %v, want its own", n, err)
		}
		if err := h.engine.StopInvocation(t.Context(), other, region, ran, nil); !errors.Is(err, orderly.InvocationUnknown) {
			t.Errorf("the other dialect stops an invocation: %v", err)
		}
		if err := h.engine.DeleteCommand(t.Context(), other, region, mine); !errors.Is(err, orderly.CommandUnknown) {
			t.Errorf("the other dialect deletes a command: %v", err)
		}
		tagged, err := h.fleet.Tagged(t.Context(), other, store.TagFilter{Resources: store.Resources{Region: region, Kind: store.TaggedCommand}}, store.Page{Limit: 9})
		if err != nil || len(tagged) != 0 {
			t.Errorf("the other dialect sees tags %v, %v", tagged, err)
		}
	})
}

// ID-4: a machine is known by its ID too, and by its second name in its own region only.
func TestMachinesHaveTwoNames(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		m := h.machine(orderly.Linux)
		for _, name := range []string{m.id, m.name} {
			call[began](h, "RunCommand", script(machine{m.id, name}))
			call[began](h, "InvokeCommand", values{"CommandId": call[began](h, "CreateCommand", aCommand).CommandId, "InstanceIds": `["` + name + `","` + m.name + `"]`})
			for _, action := range []string{"ListInstances", "ListInstanceStatus", "DescribeCloudAssistantStatus", "DescribeCloudAssistantAttributes"} {
				r := call[machines](h, action, values{"InstanceIds": `["` + name + `"]`})
				var got []string
				for _, i := range slices.Concat(r.Instances, r.InstanceStatuses) {
					got = append(got, i.InstanceId)
				}
				for _, i := range r.CloudAssistantStatus {
					got = append(got, i.InstanceId)
				}
				for _, i := range r.CloudAssistant {
					got = append(got, i.InstanceId)
				}
				if !slices.Equal(got, []string{m.name}) {
					t.Errorf("%s of %s shows %v, want %s", action, name, got, m.name)
				}
			}
			call[struct{}](h, "TagResources", values{"ResourceType": "instance", "ResourceId.1": name, "Tag.1.Key": "role", "Tag.1.Value": name})
		}
		h.refused("RunCommand", script(m).with("RegionId", "cn-beijing"), 404, "InvalidInstance.NotFound")
		found, _, err := h.fleet.Instances(t.Context(), caller, store.InstanceFilter{Region: region, Tags: []orderly.Tag{{Key: "role", Value: m.name}}}, store.Page{Limit: 2})
		if err != nil || len(found) != 1 {
			t.Errorf("%d machines have the tag, %v", len(found), err)
		}
	})
}

// SW-1: each filter of DescribeCommandInvocations admits what it names; CommandName does not count
// beside InstanceId.
func TestInvocationsAreFiltered(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first, windows := h.machine(orderly.Linux), h.machine(orderly.Windows)
		command := call[began](h, "CreateCommand", aCommand).CommandId
		stored := call[began](h, "InvokeCommand", values{"CommandId": command, "InstanceIds": list(first)}).InvokeId
		run := call[began](h, "RunCommand", script(windows).with("Type", "RunBatScript")).InvokeId
		for _, tt := range []struct {
			values
			want []string
		}{
			{values{}, []string{run, stored}},
			{values{"PageNumber": "2", "PageSize": "1"}, []string{stored}},
			{values{"InvokeId": run}, []string{run}},
			{values{"InstanceId": first.name}, []string{stored}},
			{values{"InstanceId": first.name, "CommandName": "hello"}, []string{stored}},
			{values{"CommandId": command}, []string{stored}},
			{values{"CommandName": "hello"}, []string{run}},
			{values{"CommandName": "Hello"}, nil},
			{values{"CommandType": "RunBatScript"}, []string{run}},
			{values{"CommandType": "RunPowerShellScript"}, nil},
			{values{"CommandType": "x"}, nil},
			{values{"InvocationStatus": "Pending", "CommandType": "RunShellScript"}, []string{stored}},
			{values{"InstanceId": "ace0706b2ac4454d984295a942130000"}, nil},
			{values{"RegionId": "cn-beijing"}, nil},
		} {
			var got []string
			for _, v := range call[invocations](h, "DescribeCommandInvocations", tt.values).CommandInvocations {
				got = append(got, v.InvokeId)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%v finds %v, want %v", tt.values, got, tt.want)
			}
		}
	})
}

// SW-2: DescribeCommands finds by the very name, and by what else is given.
func TestCommandsAreFiltered(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		star := call[began](h, "CreateCommand", aCommand.with("Name", "gr*")).CommandId
		greet := call[began](h, "CreateCommand", aCommand.with("ResourceGroupId", "rg-1", "Tag.1.Key", "k", "Tag.1.Value", "v", "Type", "RunPowerShellScript")).CommandId
		for _, tt := range []struct {
			values
			want []string
		}{
			{values{}, []string{greet, star}},
			{values{"Name": "gr*"}, []string{star}},
			{values{"Name": "greet"}, []string{greet}},
			{values{"Name": "gree"}, nil},
			{values{"CommandId": star}, []string{star}},
			{values{"Type": "RunPowerShellScript"}, []string{greet}},
			{values{"Type": "RunBatScript"}, nil},
			{values{"ResourceGroupId": "rg-1"}, []string{greet}},
			{values{"Tag.1.Key": "k", "Tag.1.Value": "v"}, []string{greet}},
			{values{"Tag.1.Key": "k", "Tag.1.Value": "w"}, nil},
			{values{"PageNumber": "2", "PageSize": "1"}, []string{star}},
		} {
			var got []string
			for _, c := range call[commands](h, "DescribeCommands", tt.with("Provider", "User")).Commands {
				got = append(got, c.CommandId)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%v finds %v, want %v", tt.values, got, tt.want)
			}
		}
	})
}

// ListInstances finds by what a machine has, and nothing by what none has.
func TestInstancesAreFiltered(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		up, gone := h.machine(orderly.Linux, orderly.Tag{Key: "role", Value: "db"}), h.away(orderly.Windows, time.Hour)
		fresh := h.away(orderly.Linux, 0)
		all := []string{fresh.name, gone.name, up.name}
		for _, tt := range []struct {
			values
			want []string
		}{
			{values{}, all},
			{values{"PageSize": "100"}, all},
			{values{"PageSize": "2", "PageNumber": "2"}, all[2:]},
			{values{"Status": "Running"}, []string{up.name}},
			{values{"Status": "Stopped"}, []string{gone.name}},
			{values{"Status": "Starting"}, []string{fresh.name}},
			{values{"Status": "Pending"}, nil}, {values{"Status": "Stopping"}, nil}, {values{"Status": "Resetting"}, nil},
			{values{"Status": "Upgrading"}, nil}, {values{"Status": "Disabled"}, nil},
			{values{"InstanceIds": list(gone)}, []string{gone.name}},
			{values{"InstanceIds": "[]"}, nil},
			{values{"InstanceIds": "null"}, nil},
			{values{"InstanceIds": `["ace0706b2ac4454d984295a942130000"]`}, nil},
			{values{"InstanceName": "web"}, all}, {values{"InstanceName": "w*"}, all}, {values{"InstanceName": "db"}, nil},
			{values{"PublicIpAddresses": `["203.0.113.7","1.2.3.4"]`}, all}, {values{"PublicIpAddresses": `["10.0.0.7"]`}, nil}, {values{"PublicIpAddresses": `[]`}, nil},
			{values{"ResourceGroupId": "rg-machines"}, all}, {values{"ResourceGroupId": "rg-other"}, nil},
			{values{"ChargeType": "PrePaid"}, all}, {values{"ChargeType": "PostPaid"}, nil},
			{values{"PlanType": "normal"}, nil},
			{values{"Tag.1.Key": "role", "Tag.1.Value": "db"}, []string{up.name}}, {values{"Tag.1.Key": "role"}, nil},
			{values{"RegionId": "cn-beijing"}, nil},
		} {
			var got []string
			for _, i := range call[machines](h, "ListInstances", tt.values).Instances {
				got = append(got, i.InstanceId)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%v finds %v, want %v", tt.values, got, tt.want)
			}
		}
		if r := call[machines](h, "ListInstanceStatus", values{"InstanceIds": list(up, machine{name: "mi-unknown"})}); len(r.InstanceStatuses) != 1 || r.InstanceStatuses[0].Status != "Running" {
			t.Errorf("statuses %+v", r)
		}
		second := call[machines](h, "DescribeCloudAssistantStatus", values{"InstanceIds": list(up, gone), "PageSize": "1", "PageNumber": "2"})
		if second.TotalCount != 2 || len(second.CloudAssistantStatus) != 1 || second.CloudAssistantStatus[0].InstanceId != up.name || !second.CloudAssistantStatus[0].Status {
			t.Errorf("second page %+v", second)
		}
		if r := call[machines](h, "DescribeCloudAssistantStatus", values{"PageSize": "50"}); r.TotalCount != 3 {
			t.Errorf("of all: %+v", r)
		}
	})
}

// OUT-2, EN-3: plain outputs begin and end at the edge of a character, encoded ones are the bytes.
func TestOutputs(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		m := h.machine(orderly.Linux)
		id := call[began](h, "RunCommand", script(m)).InvokeId
		now := h.db.Now()
		h.report(m, orderly.Report{Number: 3, State: orderly.Success, Started: now, Finished: now, Output: []byte("\xa9t\xc3\xa9"), Total: 1 << 20})
		if got := call[invocations](h, "DescribeCommandInvocations", values{"InvokeId": id}).CommandInvocations[0].InvokeInstances[0].Output; got != "té" {
			t.Errorf("plain %q, want té", got)
		}
		got := call[struct{ InvocationResult result }](h, "DescribeInvocationResult", values{"InvokeId": id, "InstanceId": m.name}).InvocationResult.Output
		if raw, err := base64.StdEncoding.DecodeString(got); err != nil || string(raw) != "\xa9t\xc3\xa9" {
			t.Errorf("encoded %q, %v", raw, err)
		}
	})
}

// SZ-1, PAR-3, TGT-1: this dialect's own sizes, to the last that is let in.
func TestSizes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first := h.machine(orderly.Linux)
		all := []machine{first}
		for len(all) < 51 {
			all = append(all, h.away(orderly.Linux, 0))
		}
		fits := script(first).with("CommandContent", long(12<<10), "Tag.1.Key", "ignored")
		call[began](h, "RunCommand", fits)
		h.refused("RunCommand", fits.with("CommandContent", long(12<<10+1)), 403, "CmdContent.ExceedLimit")
		with := script(first).with("EnableParameter", "true", "CommandContent", placeholders(20), "Parameters", jsonObject(20))
		call[began](h, "RunCommand", with)
		h.refused("RunCommand", with.with("Parameters", jsonObject(21)), 403, "ParameterCount.ExceedLimit")
		h.refused("RunCommand", with.with("Parameters", `{"p0":"`+long(16<<10)+`"}`), 403, "CmdContent.ExceedLimit")

		command := call[began](h, "CreateCommand", aCommand.with("EnableParameter", "true", "CommandContent", placeholders(20))).CommandId
		invoke := values{"CommandId": command, "InstanceIds": list(all[:50]...), "Parameters": jsonObject(10)}
		call[began](h, "InvokeCommand", invoke)
		h.refused("InvokeCommand", invoke.with("InstanceIds", list(all...)), 403, "InstanceIds.ExceedLimit")
		h.refused("InvokeCommand", invoke.with("Parameters", jsonObject(11)), 403, "ParameterCount.ExceedLimit")
		call[began](h, "InvokeCommand", invoke.with("Parameters", `{"p0":"`+long(18<<10/4*3)+`"}`))
		h.refused("InvokeCommand", invoke.with("Parameters", `{"p0":"`+long(18<<10/4*3+1)+`"}`), 403, "CmdContent.ExceedLimit")
	})
	eachWith(t, engine.Config{CommandQuota: 1}, swas.Config{RunContent: 8, InvokeContent: 8}, func(t *testing.T, h *house) {
		m := h.machine(orderly.Linux)
		call[began](h, "RunCommand", script(m).with("CommandContent", "true;1"))
		h.refused("RunCommand", script(m).with("CommandContent", "true;12"), 403, "CmdContent.ExceedLimit")
		command := call[began](h, "CreateCommand", aCommand).CommandId
		h.refused("InvokeCommand", values{"CommandId": command, "InstanceIds": list(m)}, 403, "CmdContent.ExceedLimit")
		h.refused("CreateCommand", aCommand, 403, "CmdCount.ExceedQuota")
	})
}

func long(n int) string { return strings.Repeat("x", n) }

func placeholders(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{{p%d}}", i)
	}
	return b.String()
}

func jsonObject(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`"p%d":"x"`, i))
	}
	return "{" + strings.Join(list, ",") + "}"
}

// CMD-6, DLV-1, CMD-8: what a request says about its run reaches the agent.
func TestRunsAreAsAsked(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		m := h.machine(orderly.Linux)
		call[began](h, "RunCommand", script(m).with("WorkingDir", "/srv", "WorkingUser", "ann", "Timeout", "77", "DeliveryTimeout", "600",
			"EnableParameter", "true", "CommandContent", "echo {{a}}", "Parameters", `{"a":"b"}`))
		sent := h.sent[len(h.sent)-1]
		v := sent.Of
		if v.Command.WorkingDir != "/srv" || v.Username != "ann" || v.Command.Timeout != 77*time.Second || v.Delivery != 600*time.Second || v.Parameters["a"] != "b" ||
			string(v.Command.Content) != "echo {{a}}" || v.Command.Name != "hello" || v.KeepCommand || v.Repeat != orderly.Once || sent.Instance != m.id {
			t.Errorf("sent %+v of %+v", sent, v)
		}
		windows := h.machine(orderly.Windows)
		call[began](h, "RunCommand", script(windows).with("Type", "RunPowerShellScript", "WorkingUser", "ann", "WindowsPasswordName", "secret"))
		if v := h.sent[len(h.sent)-1].Of; v.WindowsPasswordName != "secret" || v.Command.Type != orderly.RunPowerShellScript {
			t.Errorf("sent %+v", v)
		}
		command := call[began](h, "CreateCommand", aCommand.with("Timeout", "77")).CommandId
		call[began](h, "InvokeCommand", values{"CommandId": command, "InstanceIds": list(m), "Username": "bob", "DeliveryTimeout": "700"})
		if v := h.sent[len(h.sent)-1].Of; v.Username != "bob" || v.Delivery != 700*time.Second || v.Command.Timeout != 77*time.Second || v.Command.ID != command {
			t.Errorf("sent %+v", v)
		}
	})
}
