package swas_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/evidence"
)

var update = flag.Bool("update", false, "write the answers to testdata instead of comparing them")

// What differs from run to run, by kind.
var changing = []struct {
	kind string
	re   *regexp.Regexp
}{
	{"TIME", regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`)},
	{"UUID", regexp.MustCompile(`[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}`)},
	{"c", regexp.MustCompile(`\bc-hz0[0-9a-z]{12}\b`)},
	{"t", regexp.MustCompile(`\bt-hz0[0-9a-z]{12}\b`)},
	{"MACHINE", regexp.MustCompile(`\b[0-9a-f]{32}\b`)},
}

// golden makes a request in both formats and compares the answers with testdata/<name>.json and .xml.
func (h *house) golden(name, action string, v values) {
	h.t.Helper()
	h.goldenIn(name, action, v, "json", "xml")
}

func (h *house) goldenIn(name, action string, v values, formats ...string) {
	h.t.Helper()
	for _, format := range formats {
		r := evidence.Request{Operation: action, Params: v, Expect: evidence.Whole}
		status, body := h.exchange(strings.ToUpper(format), r)
		file, got := filepath.Join("testdata", name+"."+format), settled(h.t, format, body)
		if *update {
			must(h.t, os.WriteFile(file, []byte(got), 0o644))
		}
		want, err := os.ReadFile(file)
		must(h.t, err)
		if diff := cmp.Diff(string(want), got); diff != "" || status != http.StatusOK {
			h.t.Errorf("%s: %d, differs from %s (-want +got):\n%s", action, status, file, diff)
		} else if format == "json" {
			h.trial.Compared(action, body)
		}
	}
}

// settled is a body as it looks in every run, an element or a field on each line.
func settled(t *testing.T, format string, body []byte) string {
	t.Helper()
	text := strings.ReplaceAll(string(body), "><", ">\n<") + "\n"
	if format == "json" {
		var b bytes.Buffer
		must(t, json.Indent(&b, body, "", "  "))
		text = b.String() + "\n"
	}
	for _, c := range changing {
		var seen []string
		text = c.re.ReplaceAllStringFunc(text, func(s string) string {
			if c.kind == "TIME" {
				return c.kind
			}
			if !slices.Contains(seen, s) {
				seen = append(seen, s)
			}
			return fmt.Sprintf("%s-%d", c.kind, slices.Index(seen, s)+1)
		})
	}
	return text
}

func TestAnswersOfCommands(t *testing.T) { // EN-3, PAR-6, PAR-7
	each(t, func(t *testing.T, h *house) {
		asked := values{
			"Name": "greet", "Description": "says <hello>", "Type": "RunShellScript", "CommandContent": "echo hello {{ name }} {{2nd}} {{ACS::InstanceId}}", "Timeout": "30",
			"WorkingDir": "/srv", "EnableParameter": "true", "ResourceGroupId": "rg-1", "Tag.1.Key": "owner", "Tag.1.Value": "zhangsan",
		}
		id := call[began](h, "CreateCommand", asked).CommandId
		plain := call[began](h, "CreateCommand", values{"Name": "plain", "Type": "RunBatScript", "CommandContent": "echo {{ name }}"}).CommandId
		h.golden("DescribeCommands", "DescribeCommands", values{"Provider": "User"})
		h.golden("DescribeCommands-public", "DescribeCommands", values{"Provider": "AlibabaCloud"})
		h.golden("UpdateCommandAttribute", "UpdateCommandAttribute", values{"CommandId": id, "Name": "changed", "Description": "", "WorkingDir": "/tmp", "Timeout": "5"})
		h.golden("DescribeCommands-changed", "DescribeCommands", values{"Provider": "User", "CommandId": id, "PageNumber": "1", "PageSize": "50"})
		h.golden("TagResources", "TagResources", values{"ResourceType": "command", "ResourceId.1": id, "ResourceId.2": plain, "Tag.1.Key": "k", "Tag.1.Value": "v"})
		h.golden("ListTagResources", "ListTagResources", values{"ResourceType": "command"})
		h.golden("UntagResources", "UntagResources", values{"ResourceType": "command", "ResourceId.1": id, "TagKey.1": "owner"})
		h.golden("ListTagResources-untagged", "ListTagResources", values{"ResourceType": "command", "ResourceId.1": id})
		h.goldenIn("DeleteCommand", "DeleteCommand", values{"CommandId": id}, "json")
		h.goldenIn("DeleteCommand", "DeleteCommand", values{"CommandId": plain}, "xml")
		if n := call[commands](h, "DescribeCommands", values{"Provider": "User"}).TotalCount; n != 0 {
			t.Errorf("%d commands are left", n)
		}
		h.golden("CreateCommand", "CreateCommand", asked)
	})
}

func TestAnswersOfInvocations(t *testing.T) { // EN-3, EN-4, AG-4, SW-1, SW-2
	each(t, func(t *testing.T, h *house) {
		first, second := h.machine(orderly.Linux), h.machine(orderly.Linux)
		command := call[began](h, "CreateCommand", values{
			"Name": "greet", "Description": "says <hello>", "Type": "RunShellScript", "CommandContent": "echo hello {{name}}{{2nd}}", "EnableParameter": "true", "WorkingDir": "/srv",
		}).CommandId
		asked := values{"CommandId": command, "InstanceIds": list(first, second), "Parameters": `{"name":"<you>","2nd":"!"}`, "Username": "nobody"}
		id := call[began](h, "InvokeCommand", asked).InvokeId
		h.end(first, orderly.Success, "", 0, "hello <you>!\n")
		h.end(second, orderly.Failed, orderly.ExitCodeNonzero, 7, "")
		h.golden("DescribeCommandInvocations", "DescribeCommandInvocations", values{"InvokeId": id})
		h.golden("DescribeInvocations", "DescribeInvocations", values{"InstanceId": first.name, "PageSize": "10"})
		h.golden("DescribeInvocationResult", "DescribeInvocationResult", values{"InstanceId": second.name, "InvokeId": id})
		h.golden("InvokeCommand", "InvokeCommand", asked)
		h.golden("RunCommand", "RunCommand", script(first))
		h.report(first, orderly.Report{State: orderly.Running, Output: []byte("hel")})
		h.golden("DescribeCommandInvocations-live", "DescribeCommandInvocations", values{"InstanceId": first.name, "PageSize": "1", "CommandName": "of no effect"})
		h.golden("DescribeInvocationResult-first", "DescribeInvocationResult", values{"InstanceId": first.name, "InvokeId": id})
		h.golden("DescribeCommandInvocations-none", "DescribeCommandInvocations", values{"InvokeId": "t-unknown"})
		h.golden("DescribeInvocations-none", "DescribeInvocations", values{"InstanceId": "ace0706b2ac4454d984295a942130000"})
	})
}

func TestAnswersOfMachines(t *testing.T) { // HB-1 to HB-5, ID-4
	each(t, func(t *testing.T, h *house) {
		up, gone := h.machine(orderly.Linux, orderly.Tag{Key: "role", Value: "db"}), h.away(orderly.Windows, 3600e9)
		call[began](h, "RunCommand", script(up))
		h.end(up, orderly.Success, "", 0, "")
		both := values{"InstanceIds": list(up, gone)}
		h.golden("ListInstances", "ListInstances", nil)
		h.golden("ListInstances-none", "ListInstances", values{"InstanceName": "nobody"})
		h.golden("ListInstanceStatus", "ListInstanceStatus", both)
		h.golden("DescribeCloudAssistantStatus", "DescribeCloudAssistantStatus", both)
		h.golden("DescribeCloudAssistantAttributes", "DescribeCloudAssistantAttributes", both)
		h.golden("InstallCloudAssistant", "InstallCloudAssistant", both)
		h.golden("ListRegions", "ListRegions", values{"AcceptLanguage": "en-US"})
		h.golden("ListTagResources-machines", "ListTagResources", values{"ResourceType": "instance", "Tag.1.Key": "role"})
	})
}
