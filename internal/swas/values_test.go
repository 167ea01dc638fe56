package swas_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/orderly-run/orderly"
)

// Every type of command is shown as it is, wherever it is shown.
func TestTypesAreShown(t *testing.T) { // CMD-1
	each(t, func(t *testing.T, h *house) {
		type typed struct {
			Commands           []struct{ Type, CommandId string }
			CommandInvocations []struct{ CommandType string }
			Invocations        []struct{ CommandType string }
		}
		for kind, os := range map[string]orderly.OSType{"RunShellScript": orderly.Linux, "RunBatScript": orderly.Windows, "RunPowerShellScript": orderly.Windows} {
			m := h.machine(os)
			id := call[began](h, "CreateCommand", aCommand.with("Type", kind)).CommandId
			call[began](h, "RunCommand", script(m).with("Type", kind))
			one := values{"InstanceId": m.name}
			if r := call[typed](h, "DescribeCommands", mine.with("Type", kind)).Commands; len(r) != 1 || r[0].Type != kind || r[0].CommandId != id {
				t.Errorf("commands of type %s: %v", kind, r)
			}
			if r := call[typed](h, "DescribeCommandInvocations", one).CommandInvocations; len(r) != 1 || r[0].CommandType != kind {
				t.Errorf("invocations of type %s: %v", kind, r)
			}
			if r := call[typed](h, "DescribeInvocations", one).Invocations; len(r) != 1 || r[0].CommandType != kind {
				t.Errorf("invocations of type %s on a machine: %v", kind, r)
			}
		}
		call[struct{}](h, "UpdateCommandAttribute", values{"CommandId": call[began](h, "CreateCommand", aCommand.with("Name", "d")).CommandId, "Description": "new"})
		if r := call[struct {
			Commands []struct{ Description string }
		}](h, "DescribeCommands", mine.with("Name", "d")).Commands; len(r) != 1 || r[0].Description != "new" {
			t.Errorf("described as %v", r)
		}
	})
}

// LG-1, AG-4: a result has the state of its machine, and the older status of that.
func TestStatesOfResults(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		m := h.machine(orderly.Linux)
		for _, state := range orderly.States {
			if state == orderly.Scheduled {
				continue // AG-5
			}
			id := call[began](h, "RunCommand", script(m)).InvokeId
			h.settle(m, state, "")
			r := call[struct{ InvocationResult result }](h, "DescribeInvocationResult", values{"InvokeId": id, "InstanceId": m.name}).InvocationResult
			if r.InvocationStatus != string(state) || r.InvokeRecordStatus != string(state.LegacyStatus(orderly.Once, false)) || r.InvokeId != id || r.InstanceId != m.name {
				t.Errorf("%s is shown as %+v", state, r)
			}
			h.settle(m, orderly.Success, "")
		}
		second := h.machine(orderly.Linux)
		both := call[began](h, "InvokeCommand", values{"CommandId": call[began](h, "CreateCommand", aCommand).CommandId, "InstanceIds": list(m, second)}).InvokeId
		h.settle(m, orderly.Cancelled, "")
		h.settle(second, orderly.Terminated, "")
		if r := call[invocations](h, "DescribeCommandInvocations", values{"InvokeId": both}).CommandInvocations[0]; r.InvocationStatus != "Stopped" {
			t.Errorf("stopped on both machines is %s", r.InvocationStatus)
		}
	})
}

// PG-2: each list has pages, in whose order nothing is left out and nothing comes twice.
func TestEveryListHasPages(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all := []machine{h.machine(orderly.FreeBSD), h.machine(orderly.Linux), h.away(orderly.Linux, 0)}
		for range all {
			call[began](h, "CreateCommand", aCommand)
			call[began](h, "RunCommand", script(all[0]))
		}
		h.report(all[0], orderly.Report{State: orderly.Running})
		for action, v := range map[string]values{
			"DescribeCommands": mine, "DescribeCommandInvocations": {}, "DescribeInvocations": {"InstanceId": all[0].name}, "ListInstances": {}, "ListInstanceStatus": {},
			"DescribeCloudAssistantStatus": {}, "DescribeCloudAssistantAttributes": {"InstanceIds": list(all...)},
		} {
			var seen []string
			for n := 1; n <= 4; n++ {
				r := call[map[string]any](h, action, v.with("PageNumber", fmt.Sprint(n), "PageSize", "1"))
				if r["TotalCount"] != 3.0 || r["PageNumber"] != float64(n) || r["PageSize"] != 1.0 {
					t.Errorf("%s: page %d is %v", action, n, r)
				}
				for _, rows := range r {
					if rows, ok := rows.([]any); ok && len(rows) == 1 {
						row := rows[0].(map[string]any)
						seen = append(seen, fmt.Sprint(row["CommandId"], row["InvokeId"], row["InstanceId"]))
					}
				}
			}
			if len(seen) != 3 || len(slices.Compact(slices.Sorted(slices.Values(seen)))) != 3 {
				t.Errorf("%s: pages of one show %v", action, seen)
			}
		}
		type assistants struct {
			CloudAssistant []struct {
				OSType          string
				ActiveTaskCount int
			}
		}
		if r := call[assistants](h, "DescribeCloudAssistantAttributes", values{"InstanceIds": list(all[0])}).CloudAssistant; len(r) != 1 || r[0].OSType != "FreeBSD" || r[0].ActiveTaskCount != 1 {
			t.Errorf("a machine at work: %v", r)
		}
		if r := call[machines](h, "ListInstanceStatus", values{"InstanceIds": list(all[2])}).InstanceStatuses; len(r) != 1 || r[0].Status != "Starting" {
			t.Errorf("a new machine: %v", r)
		}
		h.golden("ListRegions-zh", "ListRegions", values{"AcceptLanguage": "zh-CN"})
	})
}

// Tags are found by key and value, in pages of fifty resources, and all of them go at once.
func TestTagsAreListed(t *testing.T) { // PG-3, PG-5, TGT-5
	each(t, func(t *testing.T, h *house) {
		type tags struct {
			NextToken    string
			TagResources struct {
				TagResource []struct{ ResourceId, TagKey, TagValue string }
			}
		}
		var ids []string
		for i := range 51 {
			ids = append(ids, call[began](h, "CreateCommand", aCommand.with("Tag.1.Key", "n", "Tag.1.Value", fmt.Sprint(i%2), "Tag.2.Key", fmt.Sprint("k", i))).CommandId)
		}
		of := values{"ResourceType": "command"}
		first := call[tags](h, "ListTagResources", of.with("Tag.1.Key", "n"))
		next := call[tags](h, "ListTagResources", of.with("Tag.1.Key", "n", "NextToken", first.NextToken))
		if len(first.TagResources.TagResource) != 100 || len(next.TagResources.TagResource) != 2 || next.NextToken != "" || next.TagResources.TagResource[0].ResourceId != ids[0] {
			t.Errorf("%d tags, then %v", len(first.TagResources.TagResource), next)
		}
		h.refused("ListTagResources", of.with("NextToken", first.NextToken), 400, "InvalidParameter.NextToken")
		if r := call[tags](h, "ListTagResources", of.with("Tag.1.Key", "n", "Tag.1.Value", "1")); len(r.TagResources.TagResource) != 50 || r.NextToken != "" {
			t.Errorf("%d tags by a value", len(r.TagResources.TagResource))
		}
		if r := call[tags](h, "ListTagResources", of.with("Tag.1.Key", "k7", "Tag.1.Value", "")).TagResources.TagResource; len(r) != 2 || r[0].ResourceId != ids[7] {
			t.Errorf("tags by a key: %v", r)
		}
		one := of.with("ResourceId.1", ids[7])
		call[struct{}](h, "UntagResources", one.with("All", "true"))
		if r := call[tags](h, "ListTagResources", one).TagResources.TagResource; len(r) != 0 {
			t.Errorf("tags are left: %v", r)
		}
		for _, kind := range []string{"snapshot", "customimage", "firewallrule", "disk"} {
			for action, v := range map[string]values{"TagResources": aTag, "UntagResources": anUntag, "ListTagResources": {}} {
				h.refused(action, v.with("ResourceType", kind), 403, "InvalidResourceId.NotSupported")
			}
		}
	})
}
