package server_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/orderly-run/orderly/internal/auth"
)

// swas are parameters of the other dialect.
func swas(params auth.Params) auth.Params {
	p := auth.Params{"Version": "2020-06-01"}
	maps.Copy(p, params)
	return p
}

// SW-3: one address, two dialects: the machines are the same by other names, and commands and
// invocations of one are in no answer of the other.
func TestDialectsShareMachinesOnly(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		machine, _ := h.machine(h.key)
		listed := fmt.Sprint(h.ask(h.key, "ListInstances", swas(nil)))
		name := strings.Fields(listed[strings.Index(listed, "InstanceId:")+len("InstanceId:"):])[0]
		if len(name) != 32 {
			t.Fatalf("%s is listed as %q in %s", machine, name, listed)
		}
		ran := fmt.Sprint(h.ask(h.key, "RunCommand", swas(auth.Params{"Type": "RunShellScript", "Name": "theirs", "CommandContent": "true", "InstanceId": name}))["InvokeId"])
		made := fmt.Sprint(h.ask(h.key, "CreateCommand", swas(auth.Params{"Type": "RunShellScript", "Name": "theirs", "CommandContent": "true"}))["CommandId"])
		own := h.ask(h.key, "RunCommand", auth.Params{"Type": "RunShellScript", "Name": "ours", "CommandContent": "true", "InstanceId.1": machine, "KeepCommand": "true"})

		for action, p := range map[string]auth.Params{
			"DescribeInvocations":       {"InvokeId": ran},
			"DescribeInvocationResults": {"InstanceId": machine},
			"DescribeCommands":          {},
			"DescribeLateResults":       {"InvokeId": ran},
			"ListTagResources":          {"ResourceType": "command", "TagFilter.1.TagKey": "*"},
		} {
			body := fmt.Sprint(h.ask(h.key, action, p))
			if strings.Contains(body, ran) || strings.Contains(body, made) || strings.Contains(body, "theirs") {
				t.Errorf("%s %v shows what the other dialect made: %s", action, p, body)
			}
		}
		for action, p := range map[string]auth.Params{
			"StopInvocation": {"InvokeId": ran}, "DeleteCommand": {"CommandId": made}, "ModifyCommand": {"CommandId": made},
			"InvokeCommand": {"CommandId": made, "InstanceId.1": machine}, "TagResources": {"ResourceType": "invocation", "ResourceId.1": ran, "Tag.1.Key": "k"},
		} {
			if status, body := h.call(h.key, action, p); status != http.StatusNotFound {
				t.Errorf("%s of what the other dialect made: %d %s", action, status, body)
			}
		}
		for action, p := range map[string]auth.Params{
			"DescribeCommandInvocations": {}, "DescribeInvocations": {"InstanceId": name}, "DescribeCommands": {"Provider": "User"},
		} {
			body := fmt.Sprint(h.ask(h.key, action, swas(p)))
			if strings.Contains(body, fmt.Sprint(own["InvokeId"])) || strings.Contains(body, fmt.Sprint(own["CommandId"])) || !strings.Contains(body, "theirs") {
				t.Errorf("%s shows %s, want what this dialect made alone", action, body)
			}
		}
	})
}

// Two accounts in the second dialect: neither sees, changes or runs anything of the other's.
func TestAccountsAreApartInTheSecondDialect(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		other := h.stranger()
		machine, _ := h.machine(h.key)
		h.machine(other)
		command := fmt.Sprint(h.ask(h.key, "CreateCommand", swas(auth.Params{"Type": "RunShellScript", "Name": "secretname", "CommandContent": "true", "Tag.1.Key": "k"}))["CommandId"])
		run := fmt.Sprint(h.ask(h.key, "RunCommand", swas(auth.Params{"Type": "RunShellScript", "Name": "secretname", "CommandContent": "true", "InstanceId": machine}))["InvokeId"])
		for action, p := range map[string]auth.Params{
			"UpdateCommandAttribute":           {"CommandId": command},
			"DeleteCommand":                    {"CommandId": command},
			"InvokeCommand":                    {"CommandId": command, "InstanceIds": `["` + machine + `"]`},
			"RunCommand":                       {"Type": "RunShellScript", "Name": "n", "CommandContent": "true", "InstanceId": machine},
			"DescribeInvocationResult":         {"InvokeId": run, "InstanceId": machine},
			"InstallCloudAssistant":            {"InstanceIds": `["` + machine + `"]`},
			"DescribeCloudAssistantStatus":     {"InstanceIds": `["` + machine + `"]`},
			"DescribeCloudAssistantAttributes": {"InstanceIds": `["` + machine + `"]`},
			"StartTerminalSession":             {"InstanceId": machine},
			"TagResources":                     {"ResourceType": "command", "ResourceId.1": command, "Tag.1.Key": "k"},
			"UntagResources":                   {"ResourceType": "instance", "ResourceId.1": machine, "All": "true"},
			"ListTagResources":                 {"ResourceType": "command", "ResourceId.1": command},
		} {
			absent := auth.Params{}
			for name, value := range p {
				absent[name] = strings.NewReplacer(machine, "mi-hz0zzzzzzzzzzzz", command, "c-hz0zzzzzzzzzzzz", run, "t-hz0zzzzzzzzzzzz").Replace(value)
			}
			status, body := h.call(other, action, swas(p))
			as, ab := h.call(other, action, swas(absent))
			if status != http.StatusNotFound || status != as || code(body) != code(ab) {
				t.Errorf("%s of another account's: %d %s, of one that is not there: %d %s", action, status, body, as, ab)
			}
		}
		for action, p := range map[string]auth.Params{
			"DescribeCommands": {"Provider": "User"}, "DescribeCommandInvocations": {"InvokeId": run}, "DescribeInvocations": {"InstanceId": machine},
			"ListInstances": {}, "ListInstanceStatus": {}, "ListTagResources": {"ResourceType": "command"},
		} {
			if _, body := h.call(other, action, swas(p)); strings.Contains(body, command) || strings.Contains(body, run) || strings.Contains(body, "secretname") {
				t.Errorf("%s tells another account %s", action, body)
			}
		}
	})
}
