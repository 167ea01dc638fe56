package ecs_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/evidence"
)

var update = flag.Bool("update", false, "write the answers to testdata instead of comparing them")

// golden makes a request in both formats and compares the answers with testdata/<name>.json and
// .xml. A request that changes something must be one that may be repeated.
func (h *house) golden(name, action string, v values) {
	h.t.Helper()
	h.goldenIn(name, "JSON", action, v)
	h.goldenIn(name, "XML", action, v)
}

func (h *house) goldenIn(name, format, action string, v values) {
	h.t.Helper()
	a := h.exchange(format, evidence.Request{Operation: action, Params: v, Expect: evidence.Whole})
	if a.status != http.StatusOK {
		h.t.Fatalf("%s: status %d, %s", action, a.status, a.body)
	}
	file := filepath.Join("testdata", name+"."+strings.ToLower(format))
	got := settled(h.t, format, a.body)
	if *update {
		must(h.t, os.WriteFile(file, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(file)
	must(h.t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		h.t.Errorf("%s differs from %s (-want +got):\n%s", action, file, diff)
		return
	}
	if format == "JSON" {
		h.trial.Compared(action, a.body)
	}
}

// changing finds what is different in every run: request and activation IDs, IDs by their kind,
// activation codes, tokens, times.
var changing = regexp.MustCompile(`[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}|\b(c|t|f|mi)-hz0[0-9a-z]{12}\b|a-hz0[0-9A-Za-z+/]{32}|[0-9A-Za-z_-]{64}|20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// emptied finds an element without contents that was broken into two lines.
var emptied = regexp.MustCompile(`(<\w+>)\n</`)

// settled is a body as it looks in every run: each changing text is replaced by its kind and, but
// for times, by its number among those of its kind.
func settled(t *testing.T, format string, body []byte) string {
	t.Helper()
	if format == "XML" {
		body = emptied.ReplaceAll(bytes.ReplaceAll(body, []byte("><"), []byte(">\n<")), []byte("$1</"))
	} else {
		var b bytes.Buffer
		must(t, json.Indent(&b, body, "", "  "))
		body = b.Bytes()
	}
	names, counts := map[string]string{}, map[string]int{}
	text := changing.ReplaceAllStringFunc(string(body), func(s string) string {
		if len(s) == len("2006-01-02T15:04:05Z") && strings.HasSuffix(s, "Z") {
			return "TIME"
		}
		if names[s] == "" {
			kind := kindOf(s)
			counts[kind]++
			names[s] = fmt.Sprintf("%s-%d", kind, counts[kind])
		}
		return names[s]
	})
	return text + "\n"
}

func kindOf(s string) string {
	switch prefix, _, _ := strings.Cut(s, "-"); {
	case len(s) == 64:
		return "TOKEN"
	case len(prefix) == 8:
		return "UUID"
	case prefix == "a":
		return "CODE"
	default:
		return prefix
	}
}

func TestAnswersOfActivationsAndInstances(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		asked := values{
			"Description": "for <web>", "InstanceName": "web", "InstanceCount": "100", "IpAddressRange": "203.0.113.0/24", "TimeToLiveInHours": "2",
			"ResourceGroupId": "rg-1", "Tag.1.Key": "owner", "Tag.1.Value": "zhangsan", "ClientToken": "once",
		}
		h.golden("CreateActivation", "CreateActivation", asked)
		act := call[struct{ ActivationId, ActivationCode string }](h, "CreateActivation", asked)
		first := h.register(act.ActivationId, act.ActivationCode, orderly.Linux, orderly.Tag{Key: "role", Value: "db"})
		second := h.register(act.ActivationId, act.ActivationCode, orderly.FreeBSD)
		h.connect(first)
		h.golden("DescribeActivations", "DescribeActivations", nil)
		h.golden("DescribeManagedInstances", "DescribeManagedInstances", values{"InstanceId.1": first, "InstanceId.2": second})
		h.golden("DescribeManagedInstances-page", "DescribeManagedInstances", values{"MaxResults": "1"})
		h.golden("DescribeCloudAssistantStatus", "DescribeCloudAssistantStatus", values{"InstanceId.1": first})
		h.golden("ModifyManagedInstance", "ModifyManagedInstance", values{"InstanceId": first, "InstanceName": "renamed"})
		h.golden("DeregisterManagedInstance", "DeregisterManagedInstance", values{"InstanceId": first, "ClientToken": "once"})
		h.golden("DisableActivation", "DisableActivation", values{"ActivationId": act.ActivationId})
		for _, format := range []string{"JSON", "XML"} {
			unused := call[struct{ ActivationId string }](h, "CreateActivation", nil)
			h.goldenIn("DeleteActivation", format, "DeleteActivation", values{"ActivationId": unused.ActivationId})
		}
		h.golden("DescribeRegions", "DescribeRegions", nil)
	})
}

func TestAnswersOfCommandsAndInvocations(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first, second := h.online(), h.online()
		asked := values{
			"Name": "greet", "Description": "says hello", "Type": "RunShellScript", "CommandContent": "ZWNobyBoZWxsbyB7eyBuYW1lIH19", "Timeout": "30",
			"WorkingDir": "/srv", "EnableParameter": "true", "ResourceGroupId": "rg-1", "Tag.1.Key": "owner", "Tag.1.Value": "zhangsan", "ClientToken": "once",
		}
		h.golden("CreateCommand", "CreateCommand", asked)
		id := call[run](h, "CreateCommand", asked).CommandId
		invoked := values{
			"CommandId": id, "InstanceId.1": first, "InstanceId.2": second, "Parameters": `{"name":"<you>"}`, "Username": "nobody",
			"TerminationMode": "ProcessTree", "Tag.1.Key": "ticket", "Tag.1.Value": "42", "ClientToken": "once", "Timed": "whatever",
		}
		h.golden("InvokeCommand", "InvokeCommand", invoked)
		inv := call[run](h, "InvokeCommand", invoked)
		h.report(first, h.ended(orderly.Success, 0, "hello <you>\n"))
		h.report(second, h.ended(orderly.Failed, 7, ""))
		h.golden("DescribeCommands", "DescribeCommands", nil)
		h.golden("DescribeInvocations", "DescribeInvocations", values{"InvokeId": inv.InvokeId, "IncludeOutput": "true", "ContentEncoding": "PlainText"})
		h.golden("DescribeInvocationResults", "DescribeInvocationResults", values{"InvokeId": inv.InvokeId})

		ran := script(first, second).with("ClientToken", "once", "Name", "once")
		h.golden("RunCommand", "RunCommand", ran)
		again := call[run](h, "RunCommand", ran)
		h.report(first, orderly.Report{State: orderly.Running, Output: []byte("hel")})
		h.golden("StopInvocation", "StopInvocation", values{"InvokeId": again.InvokeId, "InstanceId.1": first})
		h.golden("DescribeInvocations-live", "DescribeInvocations", values{"MaxResults": "1"})
		h.golden("DescribeInvocationResults-none", "DescribeInvocationResults", values{"InvokeId": "t-unknown"})
		for _, format := range []string{"JSON", "XML"} {
			asked["ClientToken"] = "delete" + format
			unused := call[run](h, "CreateCommand", asked)
			h.goldenIn("DeleteCommand", format, "DeleteCommand", values{"CommandId": unused.CommandId})
		}
	})
}
