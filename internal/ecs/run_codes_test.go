package ecs_test

import "slices"

// verbatim are the messages that the published documents print: the same text wherever a code occurs.
var verbatim = map[string]string{
	"NumberExceed.Tags":           "The Tags parameter number is exceed.",
	"Duplicate.TagKey":            "The Tag.N.Key contain duplicate key.",
	"InvalidTagKey.Malformed":     "The specified Tag.n.Key is not valid.",
	"InvalidTagValue.Malformed":   "The specified Tag.n.Value is not valid.",
	"MissingParameter.TagKey":     "You must specify Tag.N.Key.",
	"InvalidParam.PageNumber":     "The specified parameter is invalid.",
	"InvalidParam.PageSize":       "The specified parameter is invalid.",
	"InvalidParameter.NextToken":  "The specified parameter NextToken is not valid.",
	"InvalidParameter.MaxResults": "The specified parameter MaxResults is not valid.",
	"InvalidRegionId.NotFound":    "The RegionId provided does not exist in our records.",
	"InternalError.Dispatch":      "An error occurred when you dispatched the request.",
}

// The codes that the texts list for running, stopping and reading; those of another command's ID in
// RunCommand, which takes none, are left out.
const (
	running = base + tags + `
		400 InvalidParameter.WorkingDir, MissingParam.InstanceId, InvalidContainerId.Malformed, InvalidContainerName.Malformed,
		InvalidClientToken.Malformed, InvalidInstance.NotMatch, InvalidParameter.DeliveryTimeout, MissingParam.Frequency, InvalidParam.Frequency,
		Parameter.MissingValue, Parameter.Disabled, InvalidParameter.Parameters, NumberExceed.ResourceTags, MissingParameter.ResourceTagKey,
		InvalidResourceTagKey.Malformed, InvalidResourceTagValue.Malformed, Duplicate.ResourceTagKey, InvalidResourceTag.InstanceNotFound,
		InvalidResourceTag.ConflictWithInstanceIds
		403 CmdContent.ExceedLimit, InstanceIds.ExceedLimit, Invocation.ExceedQuota, ParameterCount.ExceedLimit, ParameterKey.ExceedLimit,
		ParameterKey.Duplicate, Parameter.NotMatched, ParameterType.NotSupported, Username.ExceedLimit, WindowsPasswordName.ExceedLimit,
		WindowsPasswordName.Missed, ParameterStore.NotSupported, ParameterStore.InvalidParameters, ParameterStore.NoPermission,
		TemporaryAccessKey.Error, IdempotentParameterMismatch, IdempotentProcessing, InvalidLauncher.LengthLimitExceeded,
		InvalidParameterCharset.Parameters, InvalidTimeout.ExceedLimit
		404 InvalidRepeatMode.NotFound, InvalidInstance.NotFound, InvalidResourceGroup.NotFound, InvalidTerminationMode.NotFound `
	runningNew = `400 CmdParam.EmptyKey, CmdParam.InvalidParamName, CmdContent.DecodeError
		403 CmdName.ExceedLimit, CmdDesc.ExceedLimit, CmdCount.ExceedQuota, CmdParamCount.ExceedLimit, CmdParamName.ExceedLimit,
		InvalidStatus.ResourceGroup, InvalidParameterCharacter.CommandName, InvalidParameterCharacter.CommandDescription,
		InvalidParameterCharacter.CommandWorkingDir 404 InvalidCmdType.NotFound`
	runningStored = `404 InvalidCmdId.NotFound`
	stopping      = base + `403 InstanceIds.ExceedLimit 404 InvalidInvokeId.NotFound, InvalidInstanceId.NotFound`
	reading       = base + tags + pages + `400 MissingParameter.InvokeId 500 ServiceUnavailable, InternalError`
)

// newScript is a RunCommand of a command with parameters, and storedScript an InvokeCommand of one.
var (
	newScript    = aScript.with("EnableParameter", "true", "CommandContent", "echo "+placeholders(12))
	storedScript = anInvoke
)

// runRefusalsOf are the refusals that RunCommand and InvokeCommand share: v is a request that is right.
func runRefusalsOf(action string, v values) []refusal {
	untargeted := v.with()
	delete(untargeted, "InstanceId.1")
	by := func(pairs ...string) values { return untargeted.with(pairs...) }
	tooManyTags := map[string]int{"RunCommand": 21, "InvokeCommand": 11}[action]
	return []refusal{
		{"ERR-1", action, v.with("RegionId", "mars"), 404, "InvalidRegionId.NotFound"},
		{"required", action, v.with("RegionId", ""), 400, "MissingParameter.RegionId"},

		{"TGT-1", action, untargeted, 400, "MissingParam.InstanceId"},
		{"TGT-1", action, v.with("InstanceId.1", ""), 400, "MissingParam.InstanceId"},
		{"TGT-1", action, v.with("InstanceId.2", ""), 400, "MissingParam.InstanceId"},
		{"TGT-1", action, v.with(many("InstanceId", 101, "")...), 403, "InstanceIds.ExceedLimit"},
		{"TGT-1 duplicates count", action, v.with(same("InstanceId", 101, "{linux}")...), 403, "InstanceIds.ExceedLimit"},
		{"TGT-2", action, v.with("InstanceId.2", "mi-unknown"), 404, "InvalidInstance.NotFound"},
		{"TGT-2", action, v.with("InstanceId.2", "i-unknown"), 404, "InvalidInstance.NotFound"},
		{"TGT-2", action, v.with("InstanceId.2", long(1<<10)), 404, "InvalidInstance.NotFound"},
		{"TGT-2", action, v.with("InstanceId.2", "{linux} "), 404, "InvalidInstance.NotFound"},
		{"TGT-3", action, v.with("ResourceTag.1.Key", "a"), 400, "InvalidResourceTag.ConflictWithInstanceIds"},
		{"TGT-3", action, by("ResourceTag.1.Key", "nobody"), 400, "InvalidResourceTag.InstanceNotFound"},
		{"TGT-3", action, by(many("ResourceTag", tooManyTags, ".Key")...), 400, "NumberExceed.ResourceTags"},
		{"TGT-3", action, by("ResourceTag.1.Value", "x"), 400, "MissingParameter.ResourceTagKey"},
		{"TGT-3", action, by("ResourceTag.1.Key", "a", "ResourceTag.2.Value", "x"), 400, "MissingParameter.ResourceTagKey"},
		{"TGT-3", action, by("ResourceTag.1.Key", long(65)), 400, "InvalidResourceTagKey.Malformed"},
		{"TGT-3", action, by("ResourceTag.1.Key", "aliyun"), 400, "InvalidResourceTagKey.Malformed"},
		{"TGT-3", action, by("ResourceTag.1.Key", "acs:x"), 400, "InvalidResourceTagKey.Malformed"},
		{"TGT-3", action, by("ResourceTag.1.Key", "https://x"), 400, "InvalidResourceTagKey.Malformed"},
		{"TGT-3", action, by("ResourceTag.1.Key", "a\xff"), 400, "InvalidResourceTagKey.Malformed"},
		{"TGT-3", action, by("ResourceTag.1.Key", "a", "ResourceTag.1.Value", long(129)), 400, "InvalidResourceTagValue.Malformed"},
		{"TGT-3", action, by("ResourceTag.1.Key", "a", "ResourceTag.1.Value", "http://"), 400, "InvalidResourceTagValue.Malformed"},
		{"TGT-3", action, by("ResourceTag.1.Key", "a", "ResourceTag.1.Value", "\x00"), 400, "InvalidResourceTagValue.Malformed"},
		{"TGT-3", action, by("ResourceTag.1.Key", "a", "ResourceTag.1.Value", "1", "ResourceTag.2.Key", "a"), 400, "Duplicate.ResourceTagKey"},
		{"TGT-7", action, by("ResourceTag.1.Key", "orderly:all", "ResourceTag.1.Value", "x"), 400, "InvalidResourceTag.InstanceNotFound"},
		{"TGT-7", action, by("ResourceTag.1.Key", "orderly:all", "ResourceTag.2.Key", "nobody"), 400, "InvalidResourceTag.InstanceNotFound"},
		{"TGT-4", action, v.with("ResourceGroupId", "group"), 404, "InvalidResourceGroup.NotFound"},
		{"TGT-4", action, v.with("ResourceGroupId", "rg-other"), 404, "InvalidResourceGroup.NotFound"},
		{"TGT-5", action, v.with(many("Tag", 21, ".Key")...), 400, "NumberExceed.Tags"},
		{"TGT-5", action, v.with("Tag.1.Value", "v"), 400, "MissingParameter.TagKey"},
		{"TGT-5", action, v.with("Tag.1.Key", "k", "Tag.2.Key", "k"), 400, "Duplicate.TagKey"},
		{"TGT-5", action, v.with("Tag.1.Key", long(65)), 400, "InvalidTagKey.Malformed"},
		{"TGT-5", action, v.with("Tag.1.Key", "aliyunx"), 400, "InvalidTagKey.Malformed"},
		{"TGT-5", action, v.with("Tag.1.Key", "xhttp://"), 400, "InvalidTagKey.Malformed"},
		{"TGT-7", action, v.with("Tag.1.Key", "orderly:mine"), 400, "InvalidTagKey.Malformed"},
		{"TGT-5", action, v.with("Tag.1.Key", "k", "Tag.1.Value", long(129)), 400, "InvalidTagValue.Malformed"},

		{"CMD-2", action, v.with("InstanceId.2", "{windows}"), 400, "InvalidInstance.NotMatch"},
		{"CMD-3", action, v.with("WorkingDir", "/"+long(200)), 400, "InvalidParameter.WorkingDir"},
		{"CMD-3", action, v.with("WorkingDir", "/\x01"), 403, "InvalidParameterCharacter.CommandWorkingDir"},
		{"CMD-3", action, v.with("WorkingDir", "/\xff"), 403, "InvalidParameterCharacter.CommandWorkingDir"},
		{"CMD-3", action, v.with("Username", long(256)), 403, "Username.ExceedLimit"},
		{"CMD-3", action, v.with("Username", "a\x00"), 400, "InvalidParameter.Username"},
		{"CMD-3", action, v.with("WindowsPasswordName", long(256)), 403, "WindowsPasswordName.ExceedLimit"},
		{"LA-1", action, v.with("Launcher", long(1025)), 403, "InvalidLauncher.LengthLimitExceeded"},
		{"LA-1, ENV-4", action, v.with("Launcher", "sh {{ACS::InstanceId}}"), 400, "CmdParam.InvalidParamName"},
		{"CMD-5", action, v.with("Timeout", "86401"), 403, "InvalidTimeout.ExceedLimit"},
		{"CMD-5", action, v.with("Timeout", "9223372036854775807"), 403, "InvalidTimeout.ExceedLimit"},
		{"CMD-5", action, v.with("Timeout", "1m"), 400, "InvalidParameter.Timeout"},
		{"TERM-1", action, v.with("TerminationMode", "process"), 404, "InvalidTerminationMode.NotFound"},
		{"RM-1", action, v.with("RepeatMode", "once"), 404, "InvalidRepeatMode.NotFound"},
		{"RM-2", action, v.with("RepeatMode", "Period"), 400, "MissingParam.Frequency"},
		{"CT-1", action, v.with("ContainerId", "docker:"+long(64)), 400, "InvalidContainerId.Malformed"},
		{"CT-1", action, v.with("ContainerName", ".web"), 400, "InvalidContainerName.Malformed"},
		{"DLV-1", action, v.with("DeliveryTimeout", "9"), 400, "InvalidParameter.DeliveryTimeout"},
		{"DLV-1", action, v.with("DeliveryTimeout", "604801"), 400, "InvalidParameter.DeliveryTimeout"},
		{"DLV-1", action, v.with("DeliveryTimeout", "0"), 400, "InvalidParameter.DeliveryTimeout"},
		{"DLV-1", action, v.with("DeliveryTimeout", "-60"), 400, "InvalidParameter.DeliveryTimeout"},
		{"DLV-1", action, v.with("DeliveryTimeout", "60.5"), 400, "InvalidParameter.DeliveryTimeout"},
		{"TOK-1", action, v.with("ClientToken", long(65)), 400, "InvalidClientToken.Malformed"},
		{"TOK-1", action, v.with("ClientToken", "é"), 400, "InvalidClientToken.Malformed"},

		{"PAR-3", action, v.with("Parameters", `[1]`), 400, "InvalidParameter.Parameters"},
		{"PAR-3", action, v.with("Parameters", `{"p0":"a"}x`), 400, "InvalidParameter.Parameters"},
		{"PAR-3", action, v.with("Parameters", `null`), 400, "InvalidParameter.Parameters"},
		{"PAR-3", action, v.with("Parameters", jsonObject(11)), 403, "ParameterCount.ExceedLimit"},
		{"PAR-3", action, v.with("Parameters", `{"":"a"}`), 403, "ParameterKey.ExceedLimit"},
		{"PAR-3", action, v.with("Parameters", `{"`+long(65)+`":"a"}`), 403, "ParameterKey.ExceedLimit"},
		{"PAR-3", action, v.with("Parameters", `{"p0":"a","p0":"a"}`), 403, "ParameterKey.Duplicate"},
		{"PAR-3", action, v.with("Parameters", `{"p0":"a","P0":"b"}`), 403, "ParameterKey.Duplicate"},
		{"PAR-3", action, v.with("Parameters", `{"moon":"a"}`), 403, "Parameter.NotMatched"},
		{"PAR-3, ENV-1", action, v.with("Parameters", `{"ACS::InstanceId":"a"}`), 403, "Parameter.NotMatched"},
		{"PAR-3", action, v.with("Parameters", `{"p0":{}}`), 403, "ParameterType.NotSupported"},
		{"PAR-3", action, v.with("Parameters", `{"p0":null}`), 403, "ParameterType.NotSupported"},
		{"PAR-3", action, v.with("Parameters", "{\"p0\":\"\xff\"}"), 403, "InvalidParameterCharset.Parameters"},
		{"SZ-2", action, v.with("Parameters", `{"p0":"`+long(18433)+`"}`), 403, "CmdContent.ExceedLimit"},
	}
}

// same is a list of n equal elements.
func same(name string, n int, value string) []string {
	pairs := many(name, n, "")
	for i := 1; i < len(pairs); i += 2 {
		pairs[i] = value
	}
	return pairs
}

var newRefusals = []refusal{
	{"PAR-5", "RunCommand", aScript.with("Parameters", `{"p0":"a"}`), 400, "Parameter.Disabled"},
	{"PAR-2", "RunCommand", newScript.with("CommandContent", "{{ }}"), 400, "CmdParam.EmptyKey"},
	{"PAR-2", "RunCommand", newScript.with("CommandContent", "{{a.b}}"), 400, "CmdParam.InvalidParamName"},
	{"ENV-4", "RunCommand", newScript.with("CommandContent", "{{ACS::Moon}}"), 400, "CmdParam.InvalidParamName"},
	{"ENV-5", "RunCommand", newScript.with("CommandContent", "{{ACS::instanceid}}"), 400, "CmdParam.InvalidParamName"},
	{"PAR-2", "RunCommand", newScript.with("CommandContent", "{{"+long(65)+"}}"), 403, "CmdParamName.ExceedLimit"},
	{"PAR-2", "RunCommand", newScript.with("CommandContent", placeholders(21)), 403, "CmdParamCount.ExceedLimit"},
	{"CMD-3", "RunCommand", aScript.with("Name", "a\x01"), 403, "InvalidParameterCharacter.CommandName"},
	{"CMD-3", "RunCommand", aScript.with("Description", "a\x00"), 403, "InvalidParameterCharacter.CommandDescription"},
	{"CMD-8", "RunCommand", aScript.with("Type", "RunPowerShellScript", "InstanceId.1", "{windows}", "Username", "ann"), 403, "WindowsPasswordName.Missed"},
	{"CMD-8", "InvokeCommand", storedScript.with("CommandId", "{batch}", "InstanceId.1", "{windows}", "Username", "ann"), 403, "WindowsPasswordName.Missed"},
	{"PAR-5", "InvokeCommand", storedScript.with("CommandId", "{plain}", "Parameters", `{"p0":"a"}`), 400, "Parameter.Disabled"},
	{"KEEP-1", "InvokeCommand", storedScript.with("CommandId", "{unkept}"), 404, "InvalidCmdId.NotFound"},

	{"STOP-1", "StopInvocation", values{"InvokeId": "{task}", "RegionId": "cn-beijing"}, 404, "InvalidInvokeId.NotFound"},
	{"STOP-1", "StopInvocation", values{"InvokeId": "{task}", "InstanceId.1": "{linux}", "InstanceId.2": "mi-unknown"}, 404, "InvalidInstanceId.NotFound"},
	{"STOP-1", "StopInvocation", values{"InvokeId": "{task}", "InstanceId.1": ""}, 404, "InvalidInstanceId.NotFound"},
	{"STOP-1 duplicates count", "StopInvocation", values{"InvokeId": "{task}"}.with(same("InstanceId", 51, "{linux}")...), 403, "InstanceIds.ExceedLimit"},
}

// runExactRefusals are those of running, stopping and reading that are not told of elsewhere.
func runExactRefusals() []refusal {
	list := slices.Concat(runRefusalsOf("RunCommand", newScript), runRefusalsOf("InvokeCommand", storedScript), newRefusals)
	for _, action := range []string{"StopInvocation", "DescribeInvocations", "DescribeInvocationResults"} {
		list = append(list,
			refusal{"ERR-1", action, values{"RegionId": "mars"}, 404, "InvalidRegionId.NotFound"},
			refusal{"required", action, values{"RegionId": ""}, 400, "MissingParameter.RegionId"})
	}
	for _, action := range []string{"DescribeInvocations", "DescribeInvocationResults"} {
		list = append(list,
			refusal{"TGT-5", action, values{}.with(many("Tag", 21, ".Key")...), 400, "NumberExceed.Tags"},
			refusal{"TGT-5", action, values{"Tag.1.Value": "v"}, 400, "MissingParameter.TagKey"},
			refusal{"TGT-5", action, values{"Tag.1.Key": "k", "Tag.2.Key": "k"}, 400, "Duplicate.TagKey"},
			refusal{"TGT-5", action, values{"Tag.1.Key": "orderly:all"}, 400, "InvalidTagKey.Malformed"},
			refusal{"TGT-5", action, values{"Tag.1.Key": "k", "Tag.1.Value": long(129)}, 400, "InvalidTagValue.Malformed"},
			refusal{"PG-2", action, values{"PageNumber": "-1"}, 400, "InvalidParam.PageNumber"},
			refusal{"PG-2", action, values{"PageSize": "51"}, 400, "InvalidParam.PageSize"},
			refusal{"PG-3", action, values{"MaxResults": "51"}, 400, "InvalidParameter.MaxResults"},
			refusal{"PG-3", action, values{"NextToken": "x"}, 400, "InvalidParameter.NextToken"})
	}
	return list
}
