package swas_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/swas"
)

// elsewhere are the reasons that no request of this dialect meets: what they are about, it has not.
var elsewhere = []string{
	"Activation", "Registration", "TargetTag", "RepeatMode", "Frequency", "Container", "Termination", "Launcher", "MaxResults", "InvokeID",
	"RunsOnce", "InvocationOver", "ParameterKeyMalformed", "ClientTokenMismatch", "ClientTokenInWork", "FilterDesc", "FilterKey", "ContentUndecodable", "InstanceName", "AddressRange",
}

func TestEveryReasonHasACode(t *testing.T) {
	codes := swas.New(swas.Config{}).API().Codes
	file, err := parser.ParseFile(token.NewFileSet(), "../../reason.go", nil, 0)
	must(t, err)
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		name := spec.Names[0].Name
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		must(t, err)
		code, ok := codes[orderly.Reason(text)]
		about := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
		if none := slices.ContainsFunc(elsewhere, about); none == ok || ok && (code.Status < 400 || code.Status > 404 || code.Code == "" || code.Message == "") {
			t.Errorf("%s: %+v, %t", name, code, ok)
		}
		return true
	})
}

// A refusal is a request with its answer. In values, {up}, {windows}, {command}, {plain}, {busy},
// {task} and {full} stand for things that exist.
type refusal struct {
	rule   string
	action string
	values values
	status int
	code   string
}

var (
	aScript  = values{"Type": "RunShellScript", "Name": "n", "CommandContent": "true", "InstanceId": "{up}"}
	anInvoke = values{"CommandId": "{command}", "InstanceIds": `["{up}"]`}
	aChange  = values{"CommandId": "{command}"}
	aTag     = values{"ResourceType": "instance", "ResourceId.1": "{up}", "Tag.1.Key": "k", "Tag.1.Value": "v"}
	anUntag  = values{"ResourceType": "instance", "ResourceId.1": "{up}", "TagKey.1": "k"}
	aResult  = values{"InvokeId": "{task}", "InstanceId": "{up}"}
	aLogin   = values{"InstanceId": "{up}"}
	mine     = values{"Provider": "User"}
)

// many are numbered parameters.
func many(name string, n int, tail string) (pairs []string) {
	for i := range n {
		pairs = append(pairs, fmt.Sprintf("%s.%d%s", name, i+1, tail), fmt.Sprint("v", i))
	}
	return pairs
}

var commandRefusals = []refusal{
	{"CMD-1", "CreateCommand", aCommand.with("Type", "RunPython"), 404, "InvalidCmdType.NotFound"},
	{"CMD-3", "CreateCommand", aCommand.with("Name", long(129)), 403, "CmdName.ExceedLimit"},
	{"CMD-3", "CreateCommand", aCommand.with("Name", "a\x01"), 403, "InvalidParameterCharacter.CommandName"},
	{"CMD-3", "CreateCommand", aCommand.with("Description", long(513)), 403, "CmdDesc.ExceedLimit"},
	{"CMD-3", "CreateCommand", aCommand.with("Description", "\xff"), 403, "InvalidParameterCharacter.CommandDescription"},
	{"CMD-3", "CreateCommand", aCommand.with("WorkingDir", long(201)), 400, "InvalidParameter.WorkingDir"},
	{"CMD-3", "CreateCommand", aCommand.with("WorkingDir", "\x1b"), 403, "InvalidParameterCharacter.CommandWorkingDir"},
	{"CMD-5", "CreateCommand", aCommand.with("Timeout", "86401"), 403, "InvalidTimeout.ExceedLimit"},
	{"CMD-5", "CreateCommand", aCommand.with("Timeout", "soon"), 400, "InvalidParameter.Timeout"},
	{"SZ-1", "CreateCommand", aCommand.with("CommandContent", long(18<<10+1)), 403, "CmdContent.ExceedLimit"},
	{"EN-3 no text", "CreateCommand", aCommand.with("CommandContent", "\xff"), 400, "InvalidParameter.CommandContent"},
	{"EN-3 no text", "CreateCommand", aCommand.with("CommandContent", "a\x00"), 400, "InvalidParameter.CommandContent"},
	{"PAR-1", "CreateCommand", aCommand.with("EnableParameter", "perhaps"), 400, "InvalidParameter.EnableParameter"},
	{"PAR-2", "CreateCommand", aCommand.with("EnableParameter", "true", "CommandContent", "{{}}"), 400, "CmdParam.EmptyKey"},
	{"PAR-2", "CreateCommand", aCommand.with("EnableParameter", "true", "CommandContent", "{{a b}}"), 400, "CmdParam.InvalidParamName"},
	{"ENV-4", "CreateCommand", aCommand.with("EnableParameter", "true", "CommandContent", "{{ACS::Moon}}"), 400, "CmdParam.InvalidParamName"},
	{"PAR-2", "CreateCommand", aCommand.with("EnableParameter", "true", "CommandContent", "{{"+long(65)+"}}"), 403, "CmdParamName.ExceedLimit"},
	{"PAR-2", "CreateCommand", aCommand.with("EnableParameter", "true", "CommandContent", placeholders(21)), 403, "CmdParamCount.ExceedLimit"},
	{"TGT-4", "CreateCommand", aCommand.with("ResourceGroupId", "group"), 404, "InvalidResourceGroup.NotFound"},
	{"TGT-5", "CreateCommand", aCommand.with(many("Tag", 21, ".Key")...), 400, "NumberExceed.Tags"},
	{"TGT-5", "CreateCommand", aCommand.with("Tag.1.Value", "x"), 400, "MissingParameter.TagKey"},
	{"TGT-5", "CreateCommand", aCommand.with("Tag.1.Key", "acs:x"), 400, "InvalidTagKey.Malformed"},
	{"TGT-5", "CreateCommand", aCommand.with("Tag.1.Key", long(65)), 400, "InvalidTagKey.Malformed"},
	{"TGT-5", "CreateCommand", aCommand.with("Tag.1.Key", "k", "Tag.1.Value", long(65)), 400, "InvalidTagValue.Malformed"},
	{"TGT-5", "CreateCommand", aCommand.with("Tag.1.Key", "k", "Tag.2.Key", "k"), 400, "Duplicate.TagKey"},

	{"SW-2", "DescribeCommands", values{"Provider": "Me"}, 400, "InvalidParameter.Provider"},
	{"filters", "DescribeCommands", mine.with("Type", "RunPython"), 404, "InvalidCommandType.NotFound"},
	{"filters", "DescribeCommands", mine.with("Name", long(129)), 403, "InvalidName.LengthLimitExceeded"},
	{"filters", "DescribeCommands", mine.with("Name", "\x00"), 400, "InvalidParameter.Name"},
	{"filters", "DescribeCommands", mine.with("Tag.1.Key", "k", "Tag.1.Value", long(65)), 400, "InvalidTagValue.Malformed"},
	{"filters", "DescribeCommands", mine.with("Tag.1.Value", "v"), 400, "MissingParameter.TagKey"},

	{"MOD-1", "UpdateCommandAttribute", values{"CommandId": "c-unknown"}, 404, "InvalidCmdId.NotFound"},
	{"CMD-3", "UpdateCommandAttribute", aChange.with("Name", long(129)), 403, "CmdName.ExceedLimit"},
	{"CMD-3", "UpdateCommandAttribute", aChange.with("Description", long(513)), 403, "CmdDesc.ExceedLimit"},
	{"CMD-3", "UpdateCommandAttribute", aChange.with("WorkingDir", long(201)), 400, "InvalidParameter.WorkingDir"},
	{"CMD-5", "UpdateCommandAttribute", aChange.with("Timeout", "86401"), 403, "InvalidTimeout.ExceedLimit"},
	{"CMD-5", "UpdateCommandAttribute", aChange.with("Timeout", "x"), 400, "InvalidParameter.Timeout"},
	{"DEL-1", "DeleteCommand", values{"CommandId": "c-unknown"}, 404, "InvalidCmdId.NotFound"},
	{"DEL-1", "DeleteCommand", values{"CommandId": "{busy}"}, 403, "InvalidOperation.CommandInUse"},
}

var runRefusals = []refusal{
	{"CMD-1", "RunCommand", aScript.with("Type", "x"), 404, "InvalidCmdType.NotFound"},
	{"CMD-2", "RunCommand", aScript.with("Type", "RunBatScript"), 400, "InvalidInstance.NotMatch"},
	{"CMD-2", "RunCommand", aScript.with("InstanceId", "{windows}"), 400, "InvalidInstance.NotMatch"},
	{"CMD-3", "RunCommand", aScript.with("Name", long(129)), 403, "CmdName.ExceedLimit"},
	{"CMD-3", "RunCommand", aScript.with("WorkingDir", long(201)), 400, "InvalidParameter.WorkingDir"},
	{"CMD-5", "RunCommand", aScript.with("Timeout", "86401"), 403, "InvalidTimeout.ExceedLimit"},
	{"CMD-5", "RunCommand", aScript.with("Timeout", "soon"), 400, "InvalidParameter.Timeout"},
	{"CMD-8", "RunCommand", aScript.with("WorkingUser", long(256)), 403, "Username.ExceedLimit"},
	{"CMD-8", "RunCommand", aScript.with("WindowsPasswordName", long(256)), 403, "WindowsPasswordName.ExceedLimit"},
	{"CMD-8", "RunCommand", aScript.with("Type", "RunBatScript", "WorkingUser", "me"), 403, "WindowsPasswordName.Missed"},
	{"SZ-1", "RunCommand", aScript.with("CommandContent", long(12<<10+1)), 403, "CmdContent.ExceedLimit"},
	{"EN-3 no text", "RunCommand", aScript.with("CommandContent", "\x00"), 400, "InvalidParameter.CommandContent"},
	{"no text", "RunCommand", aScript.with("WorkingUser", "\xff"), 400, "InvalidParameter.WorkingUser"},
	{"no text", "RunCommand", aScript.with("InstanceId", "\xff"), 400, "InvalidParameter.InstanceId"},
	{"TGT-1", "RunCommand", aScript.with("InstanceId", `["{up}"]`), 404, "InvalidInstance.NotFound"},
	{"TGT-2", "RunCommand", aScript.with("InstanceId", "ace0706b2ac4454d984295a942130000"), 404, "InvalidInstance.NotFound"},
	{"DLV-1", "RunCommand", aScript.with("DeliveryTimeout", "9"), 400, "InvalidParameter.DeliveryTimeout"},
	{"DLV-1", "RunCommand", aScript.with("DeliveryTimeout", "soon"), 400, "InvalidParameter.DeliveryTimeout"},
	{"PAR-1", "RunCommand", aScript.with("EnableParameter", "2"), 400, "InvalidParameter.EnableParameter"},
	{"PAR-2", "RunCommand", aScript.with("EnableParameter", "true", "CommandContent", "{{}}"), 400, "CmdParam.EmptyKey"},
	{"PAR-5", "RunCommand", aScript.with("Parameters", `{"a":"b"}`), 400, "Parameter.Disabled"},

	{"DEL-1", "InvokeCommand", anInvoke.with("CommandId", "c-unknown"), 404, "InvalidCmdId.NotFound"},
	{"TGT-1", "InvokeCommand", anInvoke.with("InstanceIds", "[]"), 400, "MissingParameter.InstanceIds"},
	{"TGT-1", "InvokeCommand", anInvoke.with("InstanceIds", "null"), 400, "MissingParameter.InstanceIds"},
	{"TGT-1", "InvokeCommand", anInvoke.with("InstanceIds", `[""]`), 400, "MissingParameter.InstanceIds"},
	{"TGT-1", "InvokeCommand", anInvoke.with("InstanceIds", "{up}"), 400, "InvalidParameter.InstanceIds"},
	{"TGT-1", "InvokeCommand", anInvoke.with("InstanceIds", `[1]`), 400, "InvalidParameter.InstanceIds"},
	{"TGT-1", "InvokeCommand", anInvoke.with("InstanceIds", `["{up}"`), 400, "InvalidParameter.InstanceIds"},
	{"TGT-1", "InvokeCommand", anInvoke.with("InstanceIds", `["\u0000"]`), 400, "InvalidParameter.InstanceIds"},
	{"TGT-1", "InvokeCommand", anInvoke.with("InstanceIds", `["x"`+strings.Repeat(`,"x"`, 50)+`]`), 403, "InstanceIds.ExceedLimit"},
	{"TGT-2", "InvokeCommand", anInvoke.with("InstanceIds", `["{up}","mi-unknown"]`), 404, "InvalidInstance.NotFound"},
	{"CMD-2", "InvokeCommand", anInvoke.with("InstanceIds", `["{windows}"]`), 400, "InvalidInstance.NotMatch"},
	{"CMD-8", "InvokeCommand", anInvoke.with("Username", long(256)), 403, "Username.ExceedLimit"},
	{"PAR-3", "InvokeCommand", anInvoke.with("Parameters", `[]`), 400, "InvalidParameter.Parameters"},
	{"PAR-3", "InvokeCommand", anInvoke.with("Parameters", `{"":"a"}`), 403, "ParameterKey.ExceedLimit"},
	{"PAR-3", "InvokeCommand", anInvoke.with("Parameters", `{"p0":"a","P0":"b"}`), 403, "ParameterKey.Duplicate"},
	{"PAR-3", "InvokeCommand", anInvoke.with("Parameters", `{"moon":"a"}`), 403, "Parameter.NotMatched"},
	{"PAR-3", "InvokeCommand", anInvoke.with("Parameters", `{"p0":[1]}`), 403, "ParameterType.NotSupported"},
	{"PAR-3", "InvokeCommand", anInvoke.with("Parameters", `{"p0":"\u0000"}`), 403, "InvalidParameterCharset.Parameters"},
	{"PAR-5", "InvokeCommand", anInvoke.with("CommandId", "{plain}", "Parameters", `{"p0":"a"}`), 400, "Parameter.Disabled"},
	{"DLV-1", "InvokeCommand", anInvoke.with("DeliveryTimeout", "604801"), 400, "InvalidParameter.DeliveryTimeout"},

	{"SW-2", "DescribeInvocationResult", aResult.with("InvokeId", "t-unknown"), 404, "InvalidInvokeId.NotFound"},
	{"SW-2", "DescribeInvocationResult", aResult.with("InstanceId", "{windows}"), 404, "InvalidInstanceId.NotFound"},
	{"no text", "DescribeCommandInvocations", values{"CommandName": "\x00"}, 400, "InvalidParameter.CommandName"},
	{"no text", "DescribeInvocations", values{"InstanceId": "{up}", "InvokeStatus": "\xff"}, 400, "InvalidParameter.InvokeStatus"},
}

var machineRefusals = []refusal{
	{"HB-4", "DescribeCloudAssistantStatus", values{"InstanceIds": `["{up}","mi-unknown"]`}, 404, "InvalidInstance.NotFound"},
	{"HB-4", "DescribeCloudAssistantStatus", values{"InstanceIds": `{}`}, 400, "InvalidParameter.InstanceIds"},
	{"HB-4", "DescribeCloudAssistantAttributes", values{"InstanceIds": `["mi-unknown"]`}, 404, "InvalidInstance.NotFound"},
	{"HB-4", "DescribeCloudAssistantAttributes", values{"InstanceIds": `["x"` + strings.Repeat(`,"x"`, 100) + `]`}, 403, "InstanceIds.ExceedLimit"},
	{"HB-5", "InstallCloudAssistant", values{"InstanceIds": `["mi-unknown"]`}, 404, "InvalidInstance.NotFound"},
	{"HB-5", "InstallCloudAssistant", values{"InstanceIds": `[]`}, 400, "MissingParameter.InstanceIds"},
	{"HB-5", "InstallCloudAssistant", values{"InstanceIds": `["x"` + strings.Repeat(`,"x"`, 50) + `]`}, 403, "InstanceIds.ExceedLimit"},
	{"lists", "ListInstances", values{"InstanceIds": `x`}, 400, "InvalidParameter.InstanceIds"},
	{"lists", "ListInstances", values{"InstanceIds": `["x"` + strings.Repeat(`,"x"`, 100) + `]`}, 403, "InstanceIds.ExceedLimit"},
	{"lists", "ListInstances", values{"PublicIpAddresses": `x`}, 400, "InvalidParameter.PublicIpAddresses"},
	{"lists", "ListInstances", values{"PublicIpAddresses": `["x"` + strings.Repeat(`,"x"`, 100) + `]`}, 400, "InvalidParameter.PublicIpAddresses"},
	{"lists", "ListInstances", values{"Status": "x"}, 404, "InvalidStatus.NotFound"},
	{"lists", "ListInstances", values{"Tag.1.Key": "acs:x"}, 400, "InvalidTagKey.Malformed"},
	{"lists", "ListInstances", values{"Tag.1.Value": "x"}, 400, "InvalidTag.Mismatch"},
	{"lists", "ListInstanceStatus", values{"InstanceIds": `x`}, 400, "InvalidParameter.InstanceIds"},
	{"lists", "ListInstanceStatus", values{"InstanceIds": `["x"` + strings.Repeat(`,"x"`, 100) + `]`}, 403, "InstanceIds.ExceedLimit"},
	{"lists", "ListRegions", values{"AcceptLanguage": "tlh"}, 404, "InvalidAcceptLanguage.NotFound"},

	{"no terminals", "StartTerminalSession", aLogin, 400, "RegionId.ApiNotSupported"},
	{"no terminals", "StartTerminalSession", values{"InstanceId": "mi-unknown"}, 404, "InvalidInstance.NotFound"},
	{"no terminals", "LoginInstance", aLogin.with("Username", "me", "Password", "secret", "Port", "22"), 400, "RegionId.ApiNotSupported"},
	{"no terminals", "LoginInstance", values{"InstanceId": "mi-unknown"}, 404, "InvalidInstance.NotFound"},
	{"no terminals", "LoginInstance", aLogin.with("Port", "0"), 400, "InvalidParameter.Port"},
	{"no terminals", "LoginInstance", aLogin.with("Port", "65536"), 400, "InvalidParameter.Port"},
	{"no terminals", "LoginInstance", aLogin.with("Port", "ssh"), 400, "InvalidParameter.Port"},
	{"no terminals", "LoginInstance", aLogin.with("Username", long(256)), 403, "Username.ExceedLimit"},
	{"no terminals", "LoginInstance", aLogin.with("Password", "\x00"), 400, "InvalidParameter.Password"},
	{"no terminals", "DescribeInstanceVncUrl", aLogin.with("ClientToken", "t"), 400, "RegionId.ApiNotSupported"},
	{"no terminals", "DescribeInstanceVncUrl", values{"InstanceId": "mi-unknown"}, 404, "InvalidInstance.NotFound"},
	{"no terminals", "DescribeInstanceVncUrl", aLogin.with("ClientToken", long(65)), 400, "InvalidClientToken.Malformed"},
}

var tagRefusals = []refusal{
	{"TGT-5", "TagResources", aTag.with("Tag.1.Key", long(65)), 400, "InvalidTagKey.Malformed"},
	{"TGT-5", "TagResources", aTag.with("Tag.1.Value", long(65)), 400, "InvalidTagValue.Malformed"},
	{"TGT-5", "TagResources", aTag.with("Tag.1.Value", "https://x"), 400, "InvalidTagValue.Malformed"},
	{"TGT-7", "TagResources", aTag.with("Tag.1.Key", "orderly:all"), 400, "InvalidTagKey.Malformed"},
	{"TGT-5", "TagResources", aTag.with("Tag.2.Key", "k"), 400, "Duplicate.TagKey"},
	{"TGT-5", "TagResources", aTag.with("Tag.2.Value", "k"), 400, "InvalidTag.Mismatch"},
	{"TGT-5", "TagResources", aTag.with(many("Tag", 21, ".Key")...), 400, "NumberExceed.Tags"},
	{"resources", "TagResources", aTag.with(many("ResourceId", 51, "")...), 400, "NumberExceed.ResourceIds"},
	{"resources", "TagResources", aTag.with("ResourceId.2", "mi-unknown"), 404, "InvalidResourceId.NotFound"},
	{"resources", "TagResources", aTag.with("ResourceType", "moon"), 404, "InvalidResourceType.NotFound"},
	{"resources", "TagResources", aTag.with("ResourceType", "snapshot"), 403, "InvalidResourceId.NotSupported"},
	{"resources", "TagResources", aTag.with("ResourceType", "customimage"), 403, "InvalidResourceId.NotSupported"},
	{"20 tags", "TagResources", aTag.with("ResourceId.2", "{full}"), 400, "OperationDenied.QuotaExceed"},
	{"TOK-1", "TagResources", aTag.with("ClientToken", "é"), 400, "InvalidClientToken.Malformed"},
	{"required", "UntagResources", values{"ResourceType": "instance", "ResourceId.1": "{up}"}, 400, "MissingParameter.TagKey"},
	{"required", "UntagResources", values{"ResourceType": "instance", "ResourceId.1": "{up}", "All": "false"}, 400, "MissingParameter.TagKey"},
	{"All", "UntagResources", anUntag.with("All", "every"), 400, "InvalidParameter.All"},
	{"resources", "UntagResources", anUntag.with("ResourceId.1", "mi-unknown"), 404, "InvalidResourceId.NotFound"},
	{"resources", "UntagResources", anUntag.with("ResourceType", "firewallrule"), 403, "InvalidResourceId.NotSupported"},
	{"TGT-5", "UntagResources", anUntag.with(many("TagKey", 21, "")...), 400, "NumberExceed.Tags"},
	{"TOK-1", "UntagResources", anUntag.with("ClientToken", long(65)), 400, "InvalidClientToken.Malformed"},
	{"resources", "ListTagResources", values{"ResourceType": "disk"}, 403, "InvalidResourceId.NotSupported"},
	{"resources", "ListTagResources", values{"ResourceType": "moon"}, 404, "InvalidResourceType.NotFound"},
	{"resources", "ListTagResources", values{"ResourceType": "instance", "ResourceId.1": "mi-unknown"}, 404, "InvalidResourceId.NotFound"},
	{"TGT-5", "ListTagResources", values{"ResourceType": "instance", "Tag.1.Key": long(65)}, 400, "InvalidTagKey.Malformed"},
	{"PG-3", "ListTagResources", values{"ResourceType": "instance", "NextToken": "x"}, 400, "InvalidParameter.NextToken"},
	{"TOK-1", "ListTagResources", values{"ResourceType": "instance", "ClientToken": "\x7f"}, 400, "InvalidClientToken.Malformed"},
}

// required are the parameters without which each operation is refused, beside the region.
var required = map[string]values{
	"CreateCommand": aCommand, "DescribeCommands": mine, "UpdateCommandAttribute": aChange, "DeleteCommand": {"CommandId": "{plain}"}, "RunCommand": aScript,
	"InvokeCommand": anInvoke, "DescribeCommandInvocations": {}, "DescribeInvocations": aLogin, "DescribeInvocationResult": aResult,
	"InstallCloudAssistant": {"InstanceIds": `["{up}"]`}, "DescribeCloudAssistantStatus": {}, "DescribeCloudAssistantAttributes": {"InstanceIds": `["{up}"]`},
	"ListInstances": {}, "ListInstanceStatus": {}, "TagResources": {"ResourceType": "instance", "ResourceId": "{up}", "Tag.1.Key": "k"},
	"UntagResources":   {"ResourceType": "instance", "ResourceId": "{up}", "TagKey": "k"},
	"ListTagResources": {"ResourceType": "instance"}, "StartTerminalSession": aLogin, "LoginInstance": aLogin, "DescribeInstanceVncUrl": aLogin,
}

// requiredRefusals are requests without a parameter, in a region that does not exist, and with numbers
// of pages that no list has (PG-2, PG-9).
func requiredRefusals() (list []refusal) {
	for action, v := range required {
		list = append(list, refusal{"required", action, v.with("RegionId", ""), 400, "MissingParameter.RegionId"},
			refusal{"ERR-1 unknown region first", action, values{"RegionId": "mars"}, 404, "InvalidRegionId.NotFound"})
		for name := range v {
			parameter, _, _ := strings.Cut(name, ".")
			list = append(list, refusal{"required", action, without(v, name), 400, "MissingParameter." + parameter})
		}
	}
	for _, action := range []string{
		"DescribeCommands", "DescribeCommandInvocations", "DescribeInvocations", "DescribeCloudAssistantStatus", "DescribeCloudAssistantAttributes",
		"ListInstances", "ListInstanceStatus",
	} {
		v := required[action]
		for _, number := range []string{"0", "-1", "x", "1.0", "99999999999999999999"} {
			list = append(list, refusal{"PG-2", action, v.with("PageNumber", number), 400, "InvalidParam.PageNumber"},
				refusal{"PG-2", action, v.with("PageSize", number), 400, "InvalidParam.PageSize"})
		}
		list = append(list, refusal{"PG-2", action, v.with("PageSize", "101"), 400, "InvalidParam.PageSize"},
			refusal{"PG-9", action, v.with("PageNumber", "10001"), 400, "InvalidParam.PageNumber"})
		if action != "ListInstances" {
			list = append(list, refusal{"PG-2", action, v.with("PageSize", "51"), 400, "InvalidParam.PageSize"})
		}
	}
	return list
}

func without(v values, name string) values {
	w := v.with()
	delete(w, name)
	return w
}

// Every code that can be reached, by the rule that asks for it; and nothing is stored.
func TestRefusals(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		names := h.furnish()
		before := h.inventory()
		for _, r := range slices.Concat(commandRefusals, runRefusals, machineRefusals, tagRefusals, requiredRefusals()) {
			v := values{}
			for name, value := range r.values {
				v[name] = names.Replace(value)
			}
			h.refused(r.action, v, r.status, r.code)
		}
		if after := h.inventory(); after != before {
			t.Errorf("after refusals there are %s, before %s", after, before)
		}
	})
}

// furnish makes the things that refusals name.
func (h *house) furnish() *strings.Replacer {
	up, windows, full := h.machine(orderly.Linux), h.machine(orderly.Windows), h.machine(orderly.Linux)
	create := func(pairs ...string) string {
		return call[began](h, "CreateCommand", aCommand.with(pairs...)).CommandId
	}
	busy := create()
	task := call[began](h, "InvokeCommand", values{"CommandId": busy, "InstanceIds": list(up)}).InvokeId
	call[struct{}](h, "TagResources", values{"ResourceType": "instance", "ResourceId.1": full.name}.with(many("Tag", 20, ".Key")...))
	return strings.NewReplacer("{up}", up.name, "{windows}", windows.name, "{full}", full.name, "{busy}", busy, "{task}", task,
		"{command}", create("EnableParameter", "true", "CommandContent", placeholders(12)), "{plain}", create())
}

// inventory counts what there is.
func (h *house) inventory() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Sprintf("%d commands, %d invocations, %d machines, %d messages", call[commands](h, "DescribeCommands", mine).TotalCount,
		call[invocations](h, "DescribeCommandInvocations", nil).TotalCount, call[machines](h, "ListInstances", nil).TotalCount, len(h.sent))
}

// what an account may begin on a day is one number for all dialects.
func TestInvocationsOfADay(t *testing.T) {
	eachWith(t, engine.Config{DailyQuota: 2}, swas.Config{}, func(t *testing.T, h *house) {
		m := h.machine(orderly.Linux)
		call[began](h, "RunCommand", script(m))
		_, err := h.engine.RunCommand(t.Context(), orderly.Caller{Account: account}, engine.Request{
			Region: region, Command: orderly.Command{Type: orderly.RunShellScript, Content: []byte("true")}, Target: orderly.Target{Instances: []string{m.id}},
		}, engine.Repetition{})
		must(t, err)
		h.refused("RunCommand", script(m), 403, "Invocation.ExceedQuota")
	})
}

// What is wrong with the server itself is published as such, and nothing more is said of it.
func TestFaultsOfOurs(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		must(t, h.db.Close())
		for action, v := range required {
			h.refused(action, v, 500, "InternalError")
		}
	})
}
