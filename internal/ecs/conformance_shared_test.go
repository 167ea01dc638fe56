package ecs_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/ecs"
)

// right are requests that go well one after the other, at least one of each operation. In values,
// {linux} and the like stand for what furnish makes.
var right = []struct {
	action string
	values values
}{
	{"CreateCommand", aCommand}, {"DescribeCommands", nil}, {"ModifyCommand", values{"CommandId": "{command}", "Name": "renamed"}},
	{"RunCommand", aScript}, {"InvokeCommand", anInvoke}, {"StopInvocation", values{"InvokeId": "{task}"}}, {"ModifyInvocationAttribute", aModification},
	{"DescribeInvocations", nil}, {"DescribeInvocationResults", nil}, {"DescribeLateResults", values{"InvokeId": "{task}"}},
	{"SendFile", aFile}, {"DescribeSendFileResults", nil},
	{"DescribeInstances", nil}, {"DescribeInstanceStatus", nil}, {"DescribeCloudAssistantStatus", nil}, {"DescribeRegions", nil},
	{"TagResources", values{"ResourceType": "instance", "ResourceId.1": "{linux}", "Tag.1.Key": "k"}}, {"ListTagResources", values{"ResourceType": "instance", "ResourceId.1": "{linux}"}},
	{"UntagResources", values{"ResourceType": "instance", "ResourceId.1": "{linux}", "TagKey.1": "k"}},
	{"CreateActivation", nil}, {"DescribeActivations", nil}, {"DescribeManagedInstances", nil},
	{"ModifyManagedInstance", values{"InstanceId": "{linux}", "InstanceName": "web-1"}}, {"DeregisterManagedInstance", values{"InstanceId": "{linux}"}},
	{"DisableActivation", values{"ActivationId": "{activation}"}}, {"DeleteActivation", values{"ActivationId": "{unused}"}}, {"DeleteCommand", values{"CommandId": "{plain}"}},
}

// What old clients send with every request, or with some, is taken whatever it is, and changes nothing.
func TestLegacyParametersAreIgnored(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		names := h.furnish()
		unused := call[struct{ ActivationId string }](h, "CreateActivation", nil).ActivationId
		var asked []string
		for _, r := range right {
			v := values{"OwnerAccount": "me\x01", "OwnerId": "nobody", "ResourceOwnerAccount": "you", "ResourceOwnerId": "-1"}
			switch r.action {
			case "RunCommand", "InvokeCommand":
				v["Timed"] = "perhaps"
			case "ModifyCommand":
				v["CommandContent"] = "echo goodbye"
			}
			for name, value := range r.values {
				if v[name] = names.Replace(value); value == "{unused}" {
					v[name] = unused
				}
			}
			call[struct{}](h, r.action, v)
			asked = append(asked, r.action)
		}
		for _, a := range ecs.New(ecs.Config{}).API().Actions {
			if !slices.Contains(asked, a.Name) {
				t.Errorf("%s was not asked", a.Name)
			}
		}
		got := call[commands](h, "DescribeCommands", values{"CommandId": names.Replace("{command}"), "ContentEncoding": "PlainText"}).Commands.Command[0]
		if want := "echo " + placeholders(12); got.CommandContent != want || got.Name != "renamed" { // MOD-1
			t.Errorf("the command is %+v, want the content %q", got, want)
		}
	})
}

// PG-2, PG-4: lists by the numbers of their pages.
func TestEveryListHasPagesByNumber(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		h.online()
		for range 3 {
			call[run](h, "RunCommand", script(id).with("KeepCommand", "true"))
		}
		for action, count := range map[string]int{
			"DescribeCommands": 3, "DescribeInvocations": 3, "DescribeInvocationResults": 3, "DescribeActivations": 2, "DescribeManagedInstances": 2,
			"DescribeCloudAssistantStatus": 2, "DescribeInstances": 2,
		} {
			got := h.pageOf(action, values{"PageSize": "2", "PageNumber": "2"})
			if got.PageSize != 2 || got.PageNumber != 2 || got.TotalCount != count || got.rows != count-2 {
				t.Errorf("%s: the second page is %+v, of %d in all", action, got, count)
			}
			if got := h.pageOf(action, nil); got.PageSize != 10 || got.PageNumber != 1 || got.rows != count {
				t.Errorf("%s: without numbers the page is %+v", action, got)
			}
		}
	})
}

// A counted is a page, and how many rows it has.
type counted struct {
	page
	rows int
}

// pageOf reads one page of any list.
func (h *house) pageOf(action string, v values) counted {
	h.t.Helper()
	type list = []struct{}
	got := call[struct {
		page
		Invocation struct {
			page
			InvocationResults struct{ InvocationResult list }
		}
		Invocations                     struct{ Invocation list }
		Commands                        struct{ Command list }
		ActivationList                  list
		InstanceCloudAssistantStatusSet struct{ InstanceCloudAssistantStatus list }
		Instances                       any // a list, or an object that holds one
	}](h, action, v)
	rows := len(got.Invocation.InvocationResults.InvocationResult) + len(got.Invocations.Invocation) + len(got.Commands.Command) +
		len(got.ActivationList) + len(got.InstanceCloudAssistantStatusSet.InstanceCloudAssistantStatus)
	switch i := got.Instances.(type) {
	case []any:
		rows += len(i)
	case map[string]any:
		rows += len(i["Instance"].([]any))
	}
	if action == "DescribeInvocationResults" {
		return counted{got.Invocation.page, rows}
	}
	return counted{got.page, rows}
}

// ERR-1: what is required is asked for by its name.
func TestRequiredParameters(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for action, v := range map[string]values{
			"CreateCommand": aCommand, "RunCommand": script("mi-1"), "InvokeCommand": {"CommandId": "c-1", "InstanceId.1": "mi-1"}, "SendFile": file("mi-1"),
			"ModifyCommand": {"CommandId": "c-1"}, "DeleteCommand": {"CommandId": "c-1"}, "StopInvocation": {"InvokeId": "t-1"},
			"DeleteActivation": {"ActivationId": "A"}, "DisableActivation": {"ActivationId": "A"},
			"ModifyManagedInstance": {"InstanceId": "mi-1", "InstanceName": "web"}, "DeregisterManagedInstance": {"InstanceId": "mi-1"},
		} {
			for name := range v {
				if name != "InstanceId.1" { // has a code of its own
					h.refused(action, v.with(name, ""), 400, "MissingParameter."+name)
				}
			}
		}
	})
}

// Every value that is published for a parameter is known, also where nothing here has it.
func TestPublishedValuesAreKnown(t *testing.T) {
	resources := []string{
		"disk", "snapshot", "image", "securitygroup", "volume", "eni", "ddh", "ddhcluster", "keypair", "launchtemplate",
		"reservedinstance", "snapshotpolicy", "elasticityassurance", "capacityreservation",
	}
	each(t, func(t *testing.T, h *house) {
		for _, c := range []struct {
			action, parameter string
			values            []string
		}{
			{"DescribeRegions", "AcceptLanguage", []string{"zh-CN", "en-US", "ja"}},
			{"DescribeRegions", "InstanceChargeType", []string{"PrePaid", "PostPaid", "SpotWithPriceLimit", "SpotAsPriceGo"}},
			{"DescribeRegions", "ResourceType", []string{"instance", "disk", "reservedinstance", "scu"}},
			{"DescribeInstances", "HttpEndpoint", []string{"enabled", "disabled"}},
			{"DescribeInstances", "HttpTokens", []string{"optional", "required"}},
			{"DescribeInstances", "InstanceChargeType", []string{"PostPaid", "PrePaid"}},
			{"DescribeInstances", "InternetChargeType", []string{"PayByBandwidth", "PayByTraffic"}},
			{"DescribeInstances", "LockReason", []string{"financial", "security", "Recycling", "dedicatedhostfinancial", "refunded"}},
		} {
			for _, v := range c.values {
				call[struct{}](h, c.action, values{c.parameter: v})
			}
		}
		if a := h.send("DescribeInstances", "JSON", values{"DryRun": "true"}); a.status != 400 || !strings.Contains(string(a.body), `"DryRunOperation"`) {
			t.Errorf("a request that is only to be checked: %d %s", a.status, a.body)
		}
		for _, kind := range resources {
			v := values{"ResourceType": kind, "ResourceId.1": "x-1"}
			h.refused("TagResources", v.with("Tag.1.Key", "k"), 403, "InvalidResourceId.NotSupported")
			h.refused("UntagResources", v.with("TagKey.1", "k"), 403, "InvalidResourceId.NotSupported")
			h.refused("ListTagResources", v, 403, "InvalidResourceId.NotSupported")
		}
	})
}

// A machine has its family in every operation that tells of it, in the spelling of that operation.
func TestTypesOfMachines(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		type status struct {
			InstanceCloudAssistantStatusSet struct {
				InstanceCloudAssistantStatus []struct{ InstanceId, OSType string }
			}
		}
		machines := map[string]string{"linux": h.machine(orderly.Linux), "windows": h.machine(orderly.Windows), "FreeBSD": h.machine(orderly.FreeBSD)}
		for family, id := range machines {
			if got := call[instances](h, "DescribeManagedInstances", values{"OsType": family}); !slices.Equal(got.ids(), []string{id}) {
				t.Errorf("%s: %v, want %s", family, got.ids(), id)
			}
			spelled := map[string]string{"linux": "Linux", "windows": "Windows", "FreeBSD": "FreeBSD"}[family]
			got := fmt.Sprint(call[status](h, "DescribeCloudAssistantStatus", values{"OSType": spelled}).InstanceCloudAssistantStatusSet.InstanceCloudAssistantStatus)
			if want := fmt.Sprintf("[{%s %s}]", id, spelled); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
	})
}

// TM-1, TM-2: every time in an answer has the one form, or is empty while there is none (TM-3).
func TestTimesHaveOneForm(t *testing.T) {
	form := regexp.MustCompile(`^(20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\dZ)?$`)
	each(t, func(t *testing.T, h *house) {
		names := h.furnish()
		seen := map[string]int{}
		for _, r := range right {
			if !strings.HasPrefix(r.action, "Describe") {
				continue
			}
			v := values{}
			for name, value := range r.values {
				v[name] = names.Replace(value)
			}
			a := h.send(r.action, "JSON", v)
			for _, m := range regexp.MustCompile(`"(\w+Time)":\s*("[^"]*"|[^",}]*)`).FindAllStringSubmatch(string(a.body), -1) {
				if text, err := strconv.Unquote(m[2]); err != nil || !form.MatchString(text) {
					t.Errorf("%s: %s is %s", r.action, m[1], m[2])
				} else if text != "" {
					seen[m[1]]++
				}
			}
		}
		for _, field := range []string{"CreationTime", "UpdateTime", "RegistrationTime", "LastHeartbeatTime"} {
			if seen[field] == 0 {
				t.Errorf("no answer has a %s", field)
			}
		}
	})
}
