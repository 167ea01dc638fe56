package ecs_test

import (
	"encoding/base64"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/ecs"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/fleet"
)

// unpublished are the reasons that only a machine sees which registers itself.
var unpublished = []orderly.Reason{
	orderly.ActivationRefused, orderly.ActivationExpired, orderly.ActivationDisabled, orderly.ActivationUsedUp,
	orderly.ActivationAddressRefused, orderly.RegistrationMalformed,
}

// constants finds the text constants of a type in a file of the root package.
func constants(t *testing.T, file, typ string) map[string]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../../"+file, nil, 0)
	must(t, err)
	found := map[string]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != typ {
			return true
		}
		for i, name := range spec.Names {
			value, err := strconv.Unquote(spec.Values[i].(*ast.BasicLit).Value)
			must(t, err)
			found[name.Name] = value
		}
		return true
	})
	if len(found) == 0 {
		t.Fatalf("%s defines no %s", file, typ)
	}
	return found
}

func TestEveryReasonHasACode(t *testing.T) {
	codes := ecs.New(ecs.Config{}).API().Codes
	registering := map[orderly.Reason]bool{}
	for _, r := range unpublished {
		registering[r] = true
	}
	for name, text := range constants(t, "reason.go", "Reason") {
		code, ok := codes[orderly.Reason(text)]
		switch {
		case registering[orderly.Reason(text)]:
			if ok {
				t.Errorf("%s is for machines only and has the code %s", name, code.Code)
			}
		case !ok:
			t.Errorf("%s has no code", name)
		case code.Status < 400 || code.Status > 404 || code.Code == "" || code.Message == "" && orderly.Reason(text) != orderly.FrequencyInvalid: // which says why
			t.Errorf("%s has an incomplete code %+v", name, code)
		}
	}
}

// The messages that the published documents print.
func TestMessagesAreThePublishedOnes(t *testing.T) {
	api := ecs.New(ecs.Config{}).API()
	got := map[string]string{api.Internal.Code: api.Internal.Message}
	for _, code := range api.Codes {
		got[code.Code] = code.Message
	}
	for code, want := range verbatim {
		if got[code] != want {
			t.Errorf("%s says %q, want %q", code, got[code], want)
		}
	}
}

// A refusal is a request with its answer. In values, {linux}, {windows}, {command}, {plain},
// {busy}, {task}, {file}, {schedule}, {over} and {activation} stand for IDs of things that exist.
type refusal struct {
	rule   string
	action string
	values values
	status int
	code   string
}

var (
	aScript  = values{"Type": "RunShellScript", "CommandContent": "true", "InstanceId.1": "{linux}"}
	aCommand = values{"Name": "n", "Type": "RunShellScript", "CommandContent": "dHJ1ZQ=="}
	anInvoke = values{"CommandId": "{command}", "InstanceId.1": "{linux}"}
)

func long(n int) string { return strings.Repeat("x", n) }

func many(name string, n int, tail string) (pairs []string) {
	for i := range n {
		pairs = append(pairs, fmt.Sprintf("%s.%d%s", name, i+1, tail), fmt.Sprintf("v%d", i))
	}
	return pairs
}

var regionRefusals = []refusal{
	{"ERR-1 unknown region first", "RunCommand", values{"RegionId": "mars"}, 404, "InvalidRegionId.NotFound"},
	{"ERR-1 unknown region first", "DescribeInvocations", values{"RegionId": "mars", "PageSize": "0"}, 404, "InvalidRegionId.NotFound"},
	{"required", "DescribeInvocations", values{"RegionId": ""}, 400, "MissingParameter.RegionId"},
	{"required", "DeleteCommand", nil, 400, "MissingParameter.CommandId"},
	{"required", "StopInvocation", nil, 400, "MissingParameter.InvokeId"},
	{"required", "DisableActivation", nil, 400, "MissingParameter.ActivationId"},
	{"required", "ModifyManagedInstance", values{"InstanceId": "{linux}"}, 400, "MissingParameter.InstanceName"},
	{"no text", "DescribeInvocations", values{"InvokeId": "t\x00"}, 400, "InvalidParameter.InvokeId"},
	{"no text", "StopInvocation", values{"InvokeId": "\xff"}, 400, "InvalidParameter.InvokeId"},
	{"no text", "RunCommand", aScript.with("InstanceId.1", "\xff"), 400, "InvalidParameter.InstanceId"},
	{"no text", "DescribeCommands", values{"Name": "\xff"}, 400, "InvalidParameter.Name"},
	{"no text", "DescribeCommands", values{"Description": "\x00"}, 400, "InvalidParameter.Description"},
	{"no text", "DescribeManagedInstances", values{"InstanceName": "\x00"}, 400, "InvalidParameter.InstanceName"},
	{"no text", "CreateActivation", values{"Description": "\x00"}, 400, "InvalidParameter.Description"},
	{"no text", "RunCommand", aScript.with("CommandContent", "echo \x00"), 400, "InvalidParameter.CommandContent"},
	{"languages", "DescribeRegions", values{"AcceptLanguage": "tlh"}, 404, "InvalidAcceptLanguage.NotFound"},
	{"resources", "DescribeRegions", values{"ResourceType": "moon"}, 404, "InvalidResourceType.NotFound"},
	{"charges", "DescribeRegions", values{"InstanceChargeType": "free"}, 400, "InvalidParameter.InstanceChargeType"},
}

var commandRefusals = []refusal{
	{"CMD-4", "CreateCommand", aCommand.with("Name", ""), 400, "MissingParameter.Name"},
	{"CMD-1", "CreateCommand", aCommand.with("Type", "RunPython"), 404, "InvalidCmdType.NotFound"},
	{"CMD-3", "CreateCommand", aCommand.with("Name", long(129)), 403, "CmdName.ExceedLimit"},
	{"CMD-3", "CreateCommand", aCommand.with("Name", "a\x01"), 403, "InvalidParameterCharacter.CommandName"},
	{"CMD-3", "CreateCommand", aCommand.with("Description", long(513)), 403, "CmdDesc.ExceedLimit"},
	{"CMD-3", "CreateCommand", aCommand.with("Description", "a\x01"), 403, "InvalidParameterCharacter.CommandDescription"},
	{"CMD-3", "CreateCommand", aCommand.with("WorkingDir", "/"+long(200)), 400, "InvalidParameter.WorkingDir"},
	{"CMD-3", "CreateCommand", aCommand.with("WorkingDir", "/\x01"), 403, "InvalidParameterCharacter.CommandWorkingDir"},
	{"CMD-3", "CreateCommand", aCommand.with("Launcher", long(1025)), 403, "InvalidLauncher.LengthLimitExceeded"},
	{"CMD-5", "CreateCommand", aCommand.with("Timeout", "86401"), 403, "InvalidTimeout.ExceedLimit"},
	{"CMD-5", "CreateCommand", aCommand.with("Timeout", "9223372036854775807"), 403, "InvalidTimeout.ExceedLimit"},
	{"CMD-5", "CreateCommand", aCommand.with("Timeout", "soon"), 400, "InvalidParameter.Timeout"},
	{"SZ-1", "CreateCommand", aCommand.with("CommandContent", base64.StdEncoding.EncodeToString(make([]byte, 18433))), 403, "CmdContent.ExceedLimit"},
	{"SZ-3, EN-2", "CreateCommand", aCommand.with("CommandContent", "echo hello"), 400, "CmdContent.DecodeError"},
	{"PAR-2", "CreateCommand", aCommand.with("ContentEncoding", "PlainText", "EnableParameter", "true", "CommandContent", "{{}}"), 400, "CmdParam.EmptyKey"},
	{"PAR-2", "CreateCommand", aCommand.with("ContentEncoding", "PlainText", "EnableParameter", "true", "CommandContent", "{{a b}}"), 400, "CmdParam.InvalidParamName"},
	{"ENV-4", "CreateCommand", aCommand.with("ContentEncoding", "PlainText", "EnableParameter", "true", "CommandContent", "{{ACS::Moon}}"), 400, "CmdParam.InvalidParamName"},
	{"PAR-2", "CreateCommand", aCommand.with("ContentEncoding", "PlainText", "EnableParameter", "true", "CommandContent", "{{"+long(65)+"}}"), 403, "CmdParamName.ExceedLimit"},
	{"PAR-2", "CreateCommand", aCommand.with("ContentEncoding", "PlainText", "EnableParameter", "true", "CommandContent", placeholders(21)), 403, "CmdParamCount.ExceedLimit"},
	{"TGT-4", "CreateCommand", aCommand.with("ResourceGroupId", "group"), 404, "InvalidResourceGroup.NotFound"},
	{"TGT-5", "CreateCommand", aCommand.with(many("Tag", 21, ".Key")...), 400, "NumberExceed.Tags"},
	{"TGT-5", "CreateCommand", aCommand.with("Tag.1.Value", "x"), 400, "MissingParameter.TagKey"},
	{"TGT-5", "CreateCommand", aCommand.with("Tag.1.Key", "acs:x"), 400, "InvalidTagKey.Malformed"},
	{"TGT-7", "CreateCommand", aCommand.with("Tag.1.Key", "orderly:all"), 400, "InvalidTagKey.Malformed"},
	{"TGT-5", "CreateCommand", aCommand.with("Tag.1.Key", "a", "Tag.1.Value", "http://x"), 400, "InvalidTagValue.Malformed"},
	{"TGT-5", "CreateCommand", aCommand.with("Tag.1.Key", "a", "Tag.2.Key", "a"), 400, "Duplicate.TagKey"},
	{"TOK-1", "CreateCommand", aCommand.with("ClientToken", long(65)), 400, "InvalidClientToken.Malformed"},
	{"TOK-1", "CreateCommand", aCommand.with("ClientToken", "é"), 400, "InvalidClientToken.Malformed"},

	{"filters", "DescribeCommands", values{"Name": "*" + long(129)}, 403, "InvalidName.LengthLimitExceeded"},
	{"filters", "DescribeCommands", values{"Description": long(513) + "*"}, 403, "InvalidDescription.LengthLimitExceeded"},
	{"filters", "DescribeCommands", values{"Type": "RunPython"}, 404, "InvalidCommandType.NotFound"},
	{"filters", "DescribeCommands", values{"Tag.1.Value": "x"}, 400, "MissingParameter.TagKey"},
	{"filters", "DescribeCommands", values{"Latest": "perhaps"}, 400, "InvalidParameter.Latest"},

	{"DEL-1", "DeleteCommand", values{"CommandId": "c-unknown"}, 404, "InvalidCmdId.NotFound"},
	{"DEL-1", "DeleteCommand", values{"CommandId": "{busy}"}, 403, "InvalidOperation.CommandInUse"},
}

func placeholders(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{{p%d}}", i)
	}
	return b.String()
}

func jsonObject(n int) string {
	var pairs []string
	for i := range n {
		pairs = append(pairs, fmt.Sprintf(`"p%d":"x"`, i))
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

var runRefusals = []refusal{
	{"required", "RunCommand", aScript.with("Type", ""), 400, "MissingParameter.Type"},
	{"required", "RunCommand", aScript.with("CommandContent", ""), 400, "MissingParameter.CommandContent"},
	{"CMD-1", "RunCommand", aScript.with("Type", "x"), 404, "InvalidCmdType.NotFound"},
	{"CMD-2", "RunCommand", aScript.with("Type", "RunBatScript"), 400, "InvalidInstance.NotMatch"},
	{"CMD-2", "RunCommand", aScript.with("Type", "RunPowerShellScript"), 400, "InvalidInstance.NotMatch"},
	{"CMD-2", "RunCommand", aScript.with("InstanceId.1", "{windows}"), 400, "InvalidInstance.NotMatch"},
	{"CMD-8", "RunCommand", aScript.with("Username", long(256)), 403, "Username.ExceedLimit"},
	{"CMD-8", "RunCommand", aScript.with("WindowsPasswordName", long(256)), 403, "WindowsPasswordName.ExceedLimit"},
	{"CMD-8", "RunCommand", aScript.with("Type", "RunBatScript", "Username", "me"), 403, "WindowsPasswordName.Missed"},
	{"SZ-1", "RunCommand", aScript.with("CommandContent", long(18433)), 403, "CmdContent.ExceedLimit"},
	{"SZ-3", "RunCommand", aScript.with("ContentEncoding", "base64", "CommandContent", "!"), 400, "CmdContent.DecodeError"},
	{"CMD-3", "RunCommand", aScript.with("Name", long(129)), 403, "CmdName.ExceedLimit"},
	{"CMD-3", "RunCommand", aScript.with("Description", long(513)), 403, "CmdDesc.ExceedLimit"},
	{"CMD-5", "RunCommand", aScript.with("Timeout", "86401"), 403, "InvalidTimeout.ExceedLimit"},
	{"TGT-1", "RunCommand", aScript.with("InstanceId.1", ""), 400, "MissingParam.InstanceId"},
	{"TGT-1", "RunCommand", values{"Type": "RunShellScript", "CommandContent": "true"}, 400, "MissingParam.InstanceId"},
	{"TGT-1", "RunCommand", aScript.with(many("InstanceId", 101, "")...), 403, "InstanceIds.ExceedLimit"},
	{"TGT-2", "RunCommand", aScript.with("InstanceId.2", "mi-unknown"), 404, "InvalidInstance.NotFound"},
	{"TGT-3", "RunCommand", aScript.with("ResourceTag.1.Key", "a"), 400, "InvalidResourceTag.ConflictWithInstanceIds"},
	{"TGT-3", "RunCommand", tagged("ResourceTag.1.Key", "nobody"), 400, "InvalidResourceTag.InstanceNotFound"},
	{"TGT-7", "RunCommand", tagged("ResourceTag.1.Key", "orderly:all", "ResourceTag.1.Value", "x"), 400, "InvalidResourceTag.InstanceNotFound"},
	{"TGT-3", "RunCommand", tagged(many("ResourceTag", 21, ".Key")...), 400, "NumberExceed.ResourceTags"},
	{"TGT-3", "RunCommand", tagged("ResourceTag.1.Value", "x"), 400, "MissingParameter.ResourceTagKey"},
	{"TGT-3", "RunCommand", tagged("ResourceTag.1.Key", "aliyun"), 400, "InvalidResourceTagKey.Malformed"},
	{"TGT-3", "RunCommand", tagged("ResourceTag.1.Key", "a", "ResourceTag.1.Value", long(129)), 400, "InvalidResourceTagValue.Malformed"},
	{"TGT-3", "RunCommand", tagged("ResourceTag.1.Key", "a", "ResourceTag.2.Key", "a"), 400, "Duplicate.ResourceTagKey"},
	{"TGT-4", "RunCommand", aScript.with("ResourceGroupId", "rg_"), 404, "InvalidResourceGroup.NotFound"},
	{"TGT-4", "RunCommand", aScript.with("ResourceGroupId", "rg-other"), 404, "InvalidResourceGroup.NotFound"},
	{"TGT-5", "RunCommand", aScript.with("Tag.1.Key", ""), 400, "MissingParameter.TagKey"},
	{"RM-1", "RunCommand", aScript.with("RepeatMode", "Twice"), 404, "InvalidRepeatMode.NotFound"},
	{"RM-2", "RunCommand", aScript.with("RepeatMode", "Period"), 400, "MissingParam.Frequency"},
	{"EX-1", "RunCommand", aScript.with("RepeatMode", "Period", "Frequency", "rate(5)"), 400, "InvalidParam.Frequency"},
	{"EX-1", "RunCommand", aScript.with("RepeatMode", "Once", "Frequency", "rate(8d)"), 400, "InvalidParam.Frequency"},
	{"EX-1", "RunCommand", aScript.with("Frequency", "rate(5m)", "Timeout", "300"), 400, "InvalidParam.Frequency"},
	{"EX-3", "RunCommand", aScript.with("Frequency", "at(tomorrow)"), 400, "InvalidParam.Frequency"},
	{"EX-5", "RunCommand", aScript.with("Frequency", "0 0 * * *"), 400, "InvalidParam.Frequency"},
	{"EX-6", "RunCommand", aScript.with("Frequency", "0 60 * * * ?"), 400, "InvalidParam.Frequency"},
	{"EX-9", "RunCommand", aScript.with("Frequency", "0 0 12 * * ? Mars/Olympus"), 400, "InvalidParam.Frequency"},
	{"EX-10", "RunCommand", aScript.with("Frequency", "0/30 * * * * ?"), 400, "InvalidParam.Frequency"},
	{"EX-10", "RunCommand", aScript.with("RepeatMode", "DryRun", "Frequency", "0/30 * * * * ?"), 400, "InvalidParam.Frequency"},
	{"LA-1", "RunCommand", aScript.with("Launcher", long(1025)), 403, "InvalidLauncher.LengthLimitExceeded"},
	{"CT-1", "RunCommand", aScript.with("ContainerId", "docker://1"), 400, "InvalidContainerId.Malformed"},
	{"CT-1", "RunCommand", aScript.with("ContainerName", "-x"), 400, "InvalidContainerName.Malformed"},
	{"not offered", "RunCommand", aScript.with("OssOutputDelivery", "oss://bucket/x"), 400, "InvalidParameter.OssOutputDelivery"},
	{"TERM-1", "RunCommand", aScript.with("TerminationMode", "Gently"), 404, "InvalidTerminationMode.NotFound"},
	{"DLV-1", "RunCommand", aScript.with("DeliveryTimeout", "9"), 400, "InvalidParameter.DeliveryTimeout"},
	{"DLV-1", "RunCommand", aScript.with("DeliveryTimeout", "604801"), 400, "InvalidParameter.DeliveryTimeout"},
	{"DLV-1", "RunCommand", aScript.with("DeliveryTimeout", "9223372036854775807"), 400, "InvalidParameter.DeliveryTimeout"},
	{"DLV-1", "RunCommand", aScript.with("DeliveryTimeout", "soon"), 400, "InvalidParameter.DeliveryTimeout"},
	{"PAR-5", "RunCommand", aScript.with("Parameters", `{"a":"b"}`), 400, "Parameter.Disabled"},
	{"PAR-3", "RunCommand", aScript.with("EnableParameter", "true", "Parameters", `[1]`), 400, "InvalidParameter.Parameters"},
	{"TOK-1", "RunCommand", aScript.with("ClientToken", "\t"), 400, "InvalidClientToken.Malformed"},

	{"required", "InvokeCommand", anInvoke.with("CommandId", ""), 400, "MissingParameter.CommandId"},
	{"DEL-1", "InvokeCommand", anInvoke.with("CommandId", "c-unknown"), 404, "InvalidCmdId.NotFound"},
	{"PAR-3", "InvokeCommand", anInvoke.with("Parameters", `{"p0":"a"`), 400, "InvalidParameter.Parameters"},
	{"PAR-3", "InvokeCommand", anInvoke.with("Parameters", jsonObject(11)), 403, "ParameterCount.ExceedLimit"},
	{"PAR-3", "InvokeCommand", anInvoke.with("Parameters", `{"":"a"}`), 403, "ParameterKey.ExceedLimit"},
	{"PAR-3", "InvokeCommand", anInvoke.with("Parameters", `{"p0":"a","P0":"b"}`), 403, "ParameterKey.Duplicate"},
	{"PAR-3", "InvokeCommand", anInvoke.with("Parameters", `{"moon":"a"}`), 403, "Parameter.NotMatched"},
	{"PAR-3", "InvokeCommand", anInvoke.with("Parameters", `{"p0":[1]}`), 403, "ParameterType.NotSupported"},
	{"PAR-3", "InvokeCommand", anInvoke.with("Parameters", `{"p0":"\u0000"}`), 403, "InvalidParameterCharset.Parameters"},
	{"SZ-2", "InvokeCommand", anInvoke.with("Parameters", `{"p0":"`+long(18433)+`"}`), 403, "CmdContent.ExceedLimit"},
	{"PAR-5", "InvokeCommand", anInvoke.with("CommandId", "{plain}", "Parameters", `{"p0":"a"}`), 400, "Parameter.Disabled"},
	{"CMD-3", "InvokeCommand", anInvoke.with("WorkingDir", long(201)), 400, "InvalidParameter.WorkingDir"},
	{"CMD-5", "InvokeCommand", anInvoke.with("Timeout", "86401"), 403, "InvalidTimeout.ExceedLimit"},
	{"CMD-2", "InvokeCommand", anInvoke.with("InstanceId.1", "{windows}"), 400, "InvalidInstance.NotMatch"},
	{"TGT-3", "InvokeCommand", values{"CommandId": "{command}"}.with(many("ResourceTag", 11, ".Key")...), 400, "NumberExceed.ResourceTags"},
	{"LA-1", "InvokeCommand", anInvoke.with("Launcher", long(1025)), 403, "InvalidLauncher.LengthLimitExceeded"},
	{"RM-2", "InvokeCommand", anInvoke.with("RepeatMode", "Period"), 400, "MissingParam.Frequency"},
	{"EX-1", "InvokeCommand", anInvoke.with("Frequency", "rate(60s)"), 400, "InvalidParam.Frequency"}, // the command's own timeout

	{"STOP-1", "StopInvocation", values{"InvokeId": "t-unknown"}, 404, "InvalidInvokeId.NotFound"},
	{"STOP-1", "StopInvocation", values{"InvokeId": "{task}", "InstanceId.1": "{windows}"}, 404, "InvalidInstanceId.NotFound"},
	{"STOP-1", "StopInvocation", values{"InvokeId": "{task}"}.with(many("InstanceId", 51, "")...), 403, "InstanceIds.ExceedLimit"},
}

// tagged is a RunCommand on instances with tags.
func tagged(pairs ...string) values {
	return values{"Type": "RunShellScript", "CommandContent": "true"}.with(pairs...)
}

var describeRefusals = []refusal{
	{"DI-8", "DescribeInvocations", values{"IncludeOutput": "true"}, 400, "MissingParameter.InvokeId"},
	{"DI-8", "DescribeInvocations", values{"IncludeOutput": "true", "CommandId": "{command}"}, 400, "MissingParameter.InvokeId"},
	{"DI-3", "DescribeInvocations", values{"Timed": "sometimes"}, 400, "InvalidParameter.Timed"},
	{"TGT-5", "DescribeInvocations", values{"Tag.1.Key": "http://"}, 400, "InvalidTagKey.Malformed"},
	{"DR-2", "DescribeInvocationResults", values{"IncludeHistory": "true"}, 400, "MissingParameter.InvokeId"},
	{"TGT-5", "DescribeInvocationResults", values{"Tag.1.Key": "a", "Tag.2.Key": "a"}, 400, "Duplicate.TagKey"},
}

var machineRefusals = []refusal{
	{"MI-1", "CreateActivation", values{"InstanceName": long(51)}, 400, "InstanceName.ExceedLimit"},
	{"MI-1", "CreateActivation", values{"InstanceName": "1web"}, 400, "InstanceName.InvalidPattern"},
	{"MI-1", "CreateActivation", values{"Description": long(101)}, 400, "ActivationDesc.ExceedLimit"},
	{"MI-1", "CreateActivation", values{"InstanceCount": "1001"}, 400, "ActivationLimitation.Invalid"},
	{"MI-1", "CreateActivation", values{"InstanceCount": "0"}, 400, "ActivationLimitation.Invalid"},
	{"MI-1", "CreateActivation", values{"InstanceCount": "-1"}, 400, "ActivationLimitation.Invalid"},
	{"MI-1", "CreateActivation", values{"InstanceCount": "ten"}, 400, "InvalidParameter.InstanceCount"},
	{"MI-1", "CreateActivation", values{"IpAddressRange": "10.0.0.0/33"}, 400, "AddressRange.InvalidPattern"},
	{"MI-1", "CreateActivation", values{"TimeToLiveInHours": "5"}, 400, "ActivationTTL.ExceedLimit"},
	{"MI-1", "CreateActivation", values{"TimeToLiveInHours": "0"}, 400, "ActivationTTL.ExceedLimit"},
	{"MI-1", "CreateActivation", values{"TimeToLiveInHours": "2251799813685249"}, 400, "ActivationTTL.ExceedLimit"},
	{"TGT-4", "CreateActivation", values{"ResourceGroupId": "x"}, 404, "InvalidResourceGroup.NotFound"},
	{"TGT-5", "CreateActivation", values{"Tag.1.Key": "a", "Tag.2.Key": "a"}, 400, "Duplicate.TagKey"},
	{"TOK-1", "CreateActivation", values{"ClientToken": long(65)}, 400, "InvalidClientToken.Malformed"},
	{"TGT-5", "DescribeActivations", values{"Tag.1.Value": "a"}, 400, "MissingParameter.TagKey"},
	{"MI-3", "DisableActivation", values{"ActivationId": "unknown"}, 404, "ActivationId.NotFound"},
	{"MI-3", "DeleteActivation", values{"ActivationId": "unknown"}, 404, "ActivationId.NotFound"},
	{"MI-3", "DeleteActivation", values{"ActivationId": "{activation}"}, 403, "ActivationId.InUse"},

	{"MI-8", "DescribeManagedInstances", values{}.with(many("InstanceId", 51, "")...), 403, "InstanceIds.ExceedLimit"},
	{"MI-8", "DescribeManagedInstances", values{"Connected": "maybe"}, 400, "InvalidParameter.Connected"},
	{"TGT-5", "DescribeManagedInstances", values{"Tag.1.Key": "acs:"}, 400, "InvalidTagKey.Malformed"},
	{"MI-8", "ModifyManagedInstance", values{"InstanceId": "{linux}", "InstanceName": "x"}, 400, "InstanceName.ExceedLimit"},
	{"MI-8", "ModifyManagedInstance", values{"InstanceId": "{linux}", "InstanceName": long(129)}, 400, "InstanceName.ExceedLimit"},
	{"MI-8", "ModifyManagedInstance", values{"InstanceId": "{linux}", "InstanceName": "a b"}, 400, "InstanceName.InvalidPattern"},
	{"MI-8", "ModifyManagedInstance", values{"InstanceId": "mi-unknown", "InstanceName": "web"}, 404, "InvalidInstance.NotFound"},
	{"MI-7", "DeregisterManagedInstance", values{"InstanceId": "mi-unknown"}, 404, "InvalidInstance.NotFound"},
	{"HB-4", "DescribeCloudAssistantStatus", values{"InstanceId.1": "{linux}", "InstanceId.2": "mi-unknown"}, 404, "InvalidInstance.NotFound"},
	{"status", "DescribeCloudAssistantStatus", values{}.with(many("InstanceId", 101, "")...), 403, "InstanceIds.ExceedLimit"},
}

// Every code that can be reached, by the rule that asks for it; and nothing is stored.
func TestRefusals(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		names := h.furnish()
		before := h.inventory()
		for _, r := range everyRefusal() {
			v := values{}
			for name, value := range r.values {
				v[name] = names.Replace(value)
			}
			t.Run(r.rule+" "+r.action+" "+r.code, func(t *testing.T) {
				g := *h
				g.t = t
				g.refused(r.action, v, r.status, r.code)
			})
		}
		if after := h.inventory(); after != before {
			t.Errorf("after refusals there are %s, before %s", after, before)
		}
	})
}

// furnish makes the things that refusals name.
func (h *house) furnish() *strings.Replacer {
	linux, windows := h.online(), h.machine(orderly.Windows)
	create := func(pairs ...string) string {
		return call[run](h, "CreateCommand", aCommand.with("ContentEncoding", "PlainText").with(pairs...)).CommandId
	}
	batch := create("Type", "RunBatScript")
	command, plain := create("EnableParameter", "true", "CommandContent", "echo "+placeholders(12)), create()
	busy := create()
	task := call[run](h, "InvokeCommand", values{"CommandId": busy, "InstanceId.1": linux}).InvokeId
	unkept := call[run](h, "RunCommand", script(linux)).CommandId
	full := h.online()
	call[struct{}](h, "TagResources", values{"ResourceType": "instance", "ResourceId.1": full}.with(many("Tag", 20, ".Key")...))
	schedule := call[run](h, "InvokeCommand", values{"CommandId": command, "InstanceId.1": full, "Frequency": "rate(1h)"}).InvokeId
	sent := call[run](h, "SendFile", file(linux)).InvokeId
	over := call[run](h, "RunCommand", script(h.machine(orderly.Linux)).with("RepeatMode", "EveryReboot")).InvokeId
	call[struct{}](h, "StopInvocation", values{"InvokeId": over})
	list := call[instances](h, "DescribeManagedInstances", nil)
	return strings.NewReplacer("{file}", sent, "{schedule}", schedule, "{over}", over, "{batch}", batch, "{unkept}", unkept, "{full}", full, "{linux}", linux, "{windows}", windows, "{command}", command, "{plain}", plain,
		"{busy}", busy, "{task}", task, "{activation}", list.Instances[0].ActivationId)
}

// inventory counts what there is.
func (h *house) inventory() string {
	var counts []int
	for _, action := range []string{"DescribeCommands", "DescribeInvocations", "DescribeSendFileResults", "DescribeActivations", "DescribeManagedInstances"} {
		counts = append(counts, call[struct{ TotalCount int }](h, action, nil).TotalCount)
	}
	h.wire.mu.Lock()
	defer h.wire.mu.Unlock()
	return fmt.Sprintf("%d commands, invocations, files, activations and instances, %d messages", counts, len(h.wire.sent))
}

// Semantics 9: what may be had is counted.
func TestQuotas(t *testing.T) {
	few := setting{engine: engine.Config{CommandQuota: 1, MaxTargets: 1, MaxAll: 2}, fleet: fleet.Config{MaxCodes: 3}}
	eachWith(t, few, func(t *testing.T, h *house) {
		role := orderly.Tag{Key: "role", Value: "web"}
		first, second := h.online(role), h.online(role)
		call[run](h, "CreateCommand", aCommand)
		h.refused("CreateCommand", aCommand, 403, "CmdCount.ExceedQuota")
		h.refused("RunCommand", script(first).with("KeepCommand", "true"), 403, "CmdCount.ExceedQuota")
		call[run](h, "RunCommand", script(first))
		h.refused("RunCommand", script(first, second), 403, "InstanceIds.ExceedLimit")
		h.refused("RunCommand", tagged("ResourceTag.1.Key", "role", "ResourceTag.1.Value", "web"), 403, "InstanceIds.ExceedLimit")
		all := tagged("ResourceTag.1.Key", "orderly:all")
		call[run](h, "RunCommand", all)
		h.machine(orderly.Linux)
		h.refused("RunCommand", all, 403, "InstanceIds.ExceedLimit")
		h.refused("CreateActivation", nil, 400, "ActivationCount.ExceedLimit")
	})
}

// TOK-1, TOK-2: the first answer again, for the same parameters only, in one account and operation.
func TestClientTokens(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		asked := script(id).with("ClientToken", "t", "Timeout", "30")
		first := call[run](h, "RunCommand", asked)
		if again := call[run](h, "RunCommand", asked.with("OwnerId", "1", "OwnerAccount", "me", "Username", "", "KeepCommand", "false")); again != first {
			t.Errorf("again %+v, want %+v", again, first)
		}
		for _, more := range [][]string{
			{"Timeout", "31"}, {"Timed", "true"}, {"DeliveryTimeout", "60"}, {"Name", "x"}, {"KeepCommand", "true"}, {"Tag.1.Key", "x"},
		} {
			h.refused("RunCommand", asked.with(more...), 403, "IdempotentParameterMismatch")
		}
		if n := call[invocations](h, "DescribeInvocations", nil).TotalCount; n != 1 {
			t.Errorf("%d invocations, want 1", n)
		}
		command := aCommand.with("ClientToken", "t")
		if a, b := call[run](h, "CreateCommand", command), call[run](h, "CreateCommand", command); a != b {
			t.Errorf("CreateCommand made %v and %v", a, b)
		}
		h.refused("CreateActivation", values{"ClientToken": "a", "InstanceCount": "2000"}, 400, "ActivationLimitation.Invalid")
		type made struct{ ActivationId, ActivationCode string }
		act := call[made](h, "CreateActivation", values{"ClientToken": "a"}) // what was refused consumed no token
		if again := call[made](h, "CreateActivation", values{"ClientToken": "a"}); again != act {
			t.Errorf("again %+v, want %+v", again, act)
		}
		h.refused("CreateActivation", values{"ClientToken": "a", "InstanceCount": "10"}, 403, "IdempotentParameterMismatch")
		gone := values{"InstanceId": id, "ClientToken": "d"}
		call[struct{}](h, "DeregisterManagedInstance", gone)
		call[struct{}](h, "DeregisterManagedInstance", gone)
		h.refused("DeregisterManagedInstance", values{"InstanceId": id}, 404, "InvalidInstance.NotFound")
		call[made](h.as(other), "CreateActivation", values{"ClientToken": "a", "InstanceCount": "10"})
	})
}
