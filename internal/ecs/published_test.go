package ecs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/orderly-run/orderly/internal/ecs"
	"github.com/orderly-run/orderly/internal/rpc"
)

// everyRefusal is all that TestRefusals asks for.
func everyRefusal() []refusal {
	return slices.Concat(regionRefusals, commandRefusals, runRefusals, describeRefusals, machineRefusals, pageRefusals,
		modifyRefusals, changeRefusals, tagRefusals, instanceRefusals, sharedRefusals(), runExactRefusals(), fileRefusals)
}

var modifyRefusals = []refusal{
	{"required", "ModifyCommand", nil, 400, "MissingParameter.CommandId"},
	{"MOD-1", "ModifyCommand", values{"CommandId": "c-unknown"}, 404, "InvalidCmdId.NotFound"},
	{"MOD-1", "ModifyCommand", values{"CommandId": "{unkept}"}, 404, "InvalidCmdId.NotFound"},
	{"CMD-3", "ModifyCommand", aChange.with("Name", long(129)), 403, "CmdName.ExceedLimit"},
	{"CMD-3", "ModifyCommand", aChange.with("Name", "a\x01"), 403, "InvalidParameterCharacter.CommandName"},
	{"CMD-3", "ModifyCommand", aChange.with("Description", long(513)), 403, "CmdDesc.ExceedLimit"},
	{"CMD-3", "ModifyCommand", aChange.with("Description", "\x00"), 403, "InvalidParameterCharacter.CommandDescription"},
	{"CMD-3", "ModifyCommand", aChange.with("WorkingDir", long(201)), 400, "InvalidParameter.WorkingDir"},
	{"CMD-3", "ModifyCommand", aChange.with("WorkingDir", "\x1b"), 403, "InvalidParameterCharacter.CommandWorkingDir"},
	{"LA-1", "ModifyCommand", aChange.with("Launcher", long(1025)), 403, "InvalidLauncher.LengthLimitExceeded"},
	{"LA-1", "ModifyCommand", aChange.with("Launcher", "\x00"), 400, "InvalidParameter.Launcher"},
	{"LA-1", "ModifyCommand", aChange.with("Launcher", "sh {{ACS::Moon}}"), 400, "CmdParam.InvalidParamName"},
	{"LA-1", "CreateCommand", aCommand.with("Launcher", "sh {{ACS::InstanceId}}"), 400, "CmdParam.InvalidParamName"},
	{"CMD-5", "ModifyCommand", aChange.with("Timeout", "86401"), 403, "InvalidTimeout.ExceedLimit"},
	{"CMD-5", "ModifyCommand", aChange.with("Timeout", "soon"), 400, "InvalidParameter.Timeout"},
	{"SZ-1", "ModifyCommand", aChange.with("CommandContent", long(24577)), 403, "CmdContent.ExceedLimit"},
	{"ERR-1 form first", "ModifyCommand", values{"CommandId": "c-unknown", "Timeout": "86401"}, 403, "InvalidTimeout.ExceedLimit"},
	{"required", "DeleteCommand", nil, 400, "MissingParameter.CommandId"},
	{"DEL-1", "DeleteCommand", values{"CommandId": "{unkept}"}, 404, "InvalidCmdId.NotFound"},
}

var (
	aChange = values{"CommandId": "{command}"}
	aTag    = values{"ResourceType": "instance", "ResourceId.1": "{linux}", "Tag.1.Key": "k", "Tag.1.Value": "v"}
	anUntag = values{"ResourceType": "instance", "ResourceId.1": "{linux}", "TagKey.1": "k"}
	aList   = values{"ResourceType": "instance", "ResourceId.1": "{linux}"}
)

var tagRefusals = []refusal{
	{"required", "TagResources", aTag.with("RegionId", ""), 404, "MissingParameter.RegionId"},
	{"required", "TagResources", aTag.with("ResourceType", ""), 404, "MissingParameter.ResourceType"},
	{"required", "TagResources", values{"ResourceType": "instance", "Tag.1.Key": "k"}, 400, "MissingParameter.ResourceId"},
	{"required", "TagResources", aList, 404, "MissingParameter.Tags"},
	{"resources", "TagResources", aTag.with(many("ResourceId", 51, "")...), 400, "NumberExceed.ResourceIds"},
	{"resources", "TagResources", aTag.with("ResourceType", "moon"), 404, "InvalidResourceType.NotFound"},
	{"resources", "TagResources", aTag.with("ResourceType", "disk"), 403, "InvalidResourceId.NotSupported"},
	{"resources", "TagResources", aTag.with("ResourceId.2", "mi-unknown"), 404, "InvalidResourceId.NotFound"},
	{"resources", "TagResources", aTag.with("ResourceType", "command"), 404, "InvalidResourceId.NotFound"},
	{"KEEP-1", "TagResources", aTag.with("ResourceType", "command", "ResourceId.1", "{unkept}"), 404, "InvalidResourceId.NotFound"},
	{"TGT-5", "TagResources", aList.with(many("Tag", 21, ".Key")...), 400, "NumberExceed.Tags"},
	{"TGT-5", "TagResources", aTag.with("Tag.2.Value", "x"), 400, "InvalidTag.Mismatch"},
	{"TGT-5", "TagResources", aTag.with("Tag.2.Key", "k"), 400, "Duplicate.TagKey"},
	{"TGT-5", "TagResources", aTag.with("Tag.1.Key", "acs:x"), 400, "InvalidTagKey.Malformed"},
	{"TGT-5", "TagResources", aTag.with("Tag.1.Key", "aliyun"), 400, "InvalidTagKey.Malformed"},
	{"TGT-5", "TagResources", aTag.with("Tag.1.Key", long(129)), 400, "InvalidTagKey.Malformed"},
	{"TGT-7", "TagResources", aTag.with("Tag.1.Key", "orderly:all"), 400, "InvalidTagKey.Malformed"},
	{"TGT-7", "TagResources", aTag.with("Tag.1.Key", "orderly:mine"), 400, "InvalidTagKey.Malformed"},
	{"TGT-5", "TagResources", aTag.with("Tag.1.Value", "https://x"), 400, "InvalidTagValue.Malformed"},
	{"TGT-5", "TagResources", aTag.with("Tag.1.Value", long(129)), 400, "InvalidTagValue.Malformed"},
	{"20 tags", "TagResources", aTag.with("ResourceId.2", "{full}"), 400, "OperationDenied.QuotaExceed"},

	{"required", "UntagResources", anUntag.with("RegionId", ""), 404, "MissingParameter.RegionId"},
	{"required", "UntagResources", anUntag.with("ResourceType", ""), 404, "MissingParameter.ResourceType"},
	{"required", "UntagResources", values{"ResourceType": "instance", "TagKey.1": "k"}, 400, "MissingParameter.ResourceId"},
	{"required", "UntagResources", aList, 404, "MissingParameter.Tags"},
	{"required", "UntagResources", aList.with("All", "false"), 404, "MissingParameter.Tags"},
	{"All", "UntagResources", aList.with("All", "every"), 400, "InvalidParameter.All"},
	{"resources", "UntagResources", anUntag.with(many("ResourceId", 51, "")...), 400, "NumberExceed.ResourceIds"},
	{"resources", "UntagResources", anUntag.with("ResourceType", "moon"), 404, "InvalidResourceType.NotFound"},
	{"resources", "UntagResources", anUntag.with("ResourceType", "image"), 403, "InvalidResourceId.NotSupported"},
	{"resources", "UntagResources", anUntag.with("ResourceId.1", "mi-unknown"), 404, "InvalidResourceId.NotFound"},
	{"TGT-5", "UntagResources", aList.with(many("TagKey", 21, "")...), 400, "NumberExceed.Tags"},
	{"TGT-5", "UntagResources", anUntag.with("TagKey.2", "k"), 400, "Duplicate.TagKey"},
	{"TGT-5", "UntagResources", anUntag.with("TagKey.1", ""), 400, "InvalidTagKey.Malformed"},
	{"TGT-5", "UntagResources", anUntag.with("TagKey.1", "\xff"), 400, "InvalidTagKey.Malformed"},
	{"TGT-7", "UntagResources", anUntag.with("TagKey.1", "orderly:all"), 400, "InvalidTagKey.Malformed"},

	{"required", "ListTagResources", aList.with("RegionId", ""), 404, "MissingParameter.RegionId"},
	{"required", "ListTagResources", aList.with("ResourceType", ""), 404, "MissingParameter.ResourceType"},
	{"required", "ListTagResources", values{"ResourceType": "instance"}, 404, "MissingParameter.Tags"},
	{"resources", "ListTagResources", aList.with(many("ResourceId", 51, "")...), 400, "NumberExceed.ResourceIds"},
	{"resources", "ListTagResources", aList.with("ResourceType", "moon"), 404, "InvalidResourceType.NotFound"},
	{"resources", "ListTagResources", aList.with("ResourceType", "eni"), 403, "InvalidResourceId.NotSupported"},
	{"resources", "ListTagResources", aList.with("ResourceId.1", "mi-unknown"), 404, "InvalidResourceId.NotFound"},
	{"TGT-5", "ListTagResources", aList.with(many("Tag", 21, ".Key")...), 400, "NumberExceed.Tags"},
	{"TGT-5", "ListTagResources", aList.with("Tag.1.Value", "v"), 400, "InvalidTag.Mismatch"},
	{"TGT-5", "ListTagResources", aList.with("Tag.1.Key", "k", "Tag.2.Key", "k"), 400, "Duplicate.TagKey"},
	{"TGT-5", "ListTagResources", aList.with("Tag.1.Key", "http://"), 400, "InvalidTagKey.Malformed"},
	{"TGT-5", "ListTagResources", aList.with("Tag.1.Key", "k", "Tag.1.Value", "http://"), 400, "InvalidTagValue.Malformed"},
	{"TagFilter", "ListTagResources", aList.with(many("TagFilter", 6, ".TagKey")...), 400, "InvalidTagCount"},
	{"TagFilter", "ListTagResources", aList.with("TagFilter.1.TagKey", "k").with(many("TagFilter.1.TagValues", 6, "")...), 400, "InvalidTagCount"},
	{"TagFilter", "ListTagResources", aList.with("TagFilter.1.TagValues.1", "v"), 400, "InvalidTag.Mismatch"},
	{"TagFilter", "ListTagResources", aList.with("TagFilter.1.TagKey", "k", "TagFilter.1.TagValues.1", long(129)), 400, "InvalidTagValue.Malformed"},
	{"TagFilter", "ListTagResources", aList.with("TagFilter.1.TagKey", "k", "Tag.1.Key", "k"), 400, "InvalidParameter.TagFilter"},
	{"PG-3", "ListTagResources", aList.with("NextToken", "x"), 400, "InvalidParameter.NextToken"},
}

var instanceRefusals = []refusal{
	{"lists", "DescribeInstances", values{"InstanceIds": "mi-1"}, 400, "InvalidParameter.InstanceIds"},
	{"lists", "DescribeInstances", values{"InstanceIds": `{"a":1}`}, 400, "InvalidParameter.InstanceIds"},
	{"lists", "DescribeInstances", values{"InstanceIds": `["\u0000"]`}, 400, "InvalidParameter.InstanceIds"},
	{"lists", "DescribeInstances", values{"InstanceIds": jsonList(101)}, 403, "InstanceIds.ExceedLimit"},
	{"lists", "DescribeInstances", values{"PrivateIpAddresses": "10.0.0.1"}, 400, "InvalidParameter.PrivateIpAddresses"},
	{"lists", "DescribeInstances", values{"PublicIpAddresses": jsonList(101)}, 400, "InvalidParameter.PublicIpAddresses"},
	{"lists", "DescribeInstances", values{"InnerIpAddresses": "[1]"}, 400, "InvalidParameter.InnerIpAddresses"},
	{"lists", "DescribeInstances", values{"EipAddresses": "[,]"}, 400, "InvalidParameter.EipAddresses"},
	{"status", "DescribeInstances", values{"Status": "Flying"}, 404, "InvalidStatus.NotFound"},
	{"filters", "DescribeInstances", values{"Filter.1.Key": "CreationTime", "Filter.1.Value": "2026-01-01T00:00Z"}, 404, "InvalidFilterKey.NotFound"},
	{"filters", "DescribeInstances", values{"Filter.1.Key": "CreationStartTime", "Filter.1.Value": "today"}, 400, "InvalidParameter.Filter"},
	{"filters", "DescribeInstances", values{"InstanceChargeType": "Free"}, 400, "InvalidParameter.InstanceChargeType"},
	{"filters", "DescribeInstances", values{"InternetChargeType": "Free"}, 400, "InvalidParameter.InternetChargeType"},
	{"filters", "DescribeInstances", values{"InstanceNetworkType": "ring"}, 400, "InvalidParameter.InstanceNetworkType"},
	{"filters", "DescribeInstances", values{"LockReason": "x"}, 400, "InvalidParameter.LockReason"},
	{"filters", "DescribeInstances", values{"HttpEndpoint": "x"}, 400, "InvalidParameter.HttpEndpoint"},
	{"filters", "DescribeInstances", values{"HttpTokens": "x"}, 400, "InvalidParameter.HttpTokens"},
	{"filters", "DescribeInstances", values{"IoOptimized": "x"}, 400, "InvalidParameter.IoOptimized"},
	{"filters", "DescribeInstances", values{"InstanceName": "\xff"}, 400, "InvalidParameter.InstanceName"},
	{"TGT-5", "DescribeInstances", values{}.with(many("Tag", 21, ".Key")...), 400, "InvalidTagCount"},
	{"TGT-5", "DescribeInstances", values{"Tag.1.Value": "v"}, 400, "InvalidTag.Mismatch"},
	{"TGT-5", "DescribeInstances", values{"Tag.1.Key": "acs:x"}, 400, "InvalidTagKey.Malformed"},
	{"TGT-5", "DescribeInstances", values{"Tag.1.Key": "k", "Tag.2.Key": "k"}, 400, "Duplicate.TagKey"},
	{"DryRun", "DescribeInstances", values{"DryRun": "true"}, 400, "DryRunOperation"},
	{"DryRun", "DescribeInstances", values{"DryRun": "true", "Status": "Flying"}, 404, "InvalidStatus.NotFound"},
	{"PG-2", "DescribeInstances", values{"PageSize": "101"}, 400, "InvalidParam.PageSize"},
	{"PG-3", "DescribeInstances", values{"MaxResults": "101"}, 400, "InvalidParameter.MaxResults"},
	{"PG-9", "DescribeInstances", values{"PageNumber": "1001", "PageSize": "100"}, 400, "InvalidParam.PageNumber"},

	{"lists", "DescribeInstanceStatus", values{}.with(many("InstanceId", 101, "")...), 403, "InstanceIds.ExceedLimit"},
	{"PG-2", "DescribeInstanceStatus", values{"PageSize": "51"}, 400, "InvalidParam.PageSize"},
	{"PG-2", "DescribeInstanceStatus", values{"PageNumber": "0"}, 400, "InvalidParam.PageNumber"},
}

func jsonList(n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(`"x",`, n), ",") + "]"
}

// Operations by what they share.
var (
	inRegion = []string{
		"CreateCommand", "DescribeCommands", "ModifyCommand", "DeleteCommand", "TagResources", "UntagResources", "ListTagResources",
		"DescribeInstances", "DescribeInstanceStatus", "DescribeCloudAssistantStatus", "CreateActivation", "DescribeActivations", "DisableActivation",
		"DeleteActivation", "DescribeManagedInstances", "ModifyManagedInstance", "DeregisterManagedInstance", "ModifyInvocationAttribute",
		"SendFile", "DescribeSendFileResults",
	}
	takeTags  = []string{"CreateCommand", "SendFile", "DescribeSendFileResults", "DescribeCommands", "CreateActivation", "DescribeActivations", "DescribeManagedInstances"}
	makePages = []string{"DescribeSendFileResults", "DescribeCommands", "DescribeCloudAssistantStatus", "DescribeActivations", "DescribeManagedInstances", "DescribeInstances"}
)

// sharedRefusals are those that many operations share: of regions, tags and pages.
func sharedRefusals() (list []refusal) {
	for _, action := range inRegion {
		list = append(list, refusal{"ERR-1", action, values{"RegionId": "mars"}, 404, "InvalidRegionId.NotFound"})
		if !strings.HasSuffix(action, "TagResources") && action != "UntagResources" {
			list = append(list, refusal{"required", action, values{"RegionId": ""}, 400, "MissingParameter.RegionId"})
		}
	}
	for _, action := range takeTags {
		v := map[string]values{"CreateCommand": aCommand, "SendFile": aFile}[action]
		if v == nil {
			v = values{}
		}
		list = append(list,
			refusal{"TGT-5", action, v.with(many("Tag", 21, ".Key")...), 400, "NumberExceed.Tags"},
			refusal{"TGT-5", action, v.with("Tag.1.Value", "v"), 400, "MissingParameter.TagKey"},
			refusal{"TGT-5", action, v.with("Tag.1.Key", "k", "Tag.2.Key", "k"), 400, "Duplicate.TagKey"},
			refusal{"TGT-5", action, v.with("Tag.1.Key", long(65)), 400, "InvalidTagKey.Malformed"},
			refusal{"TGT-5", action, v.with("Tag.1.Key", "k", "Tag.1.Value", long(129)), 400, "InvalidTagValue.Malformed"})
	}
	for _, action := range makePages {
		list = append(list,
			refusal{"PG-2", action, values{"PageNumber": "0"}, 400, "InvalidParam.PageNumber"},
			refusal{"PG-2", action, values{"PageSize": "x"}, 400, "InvalidParam.PageSize"},
			refusal{"PG-3", action, values{"MaxResults": "0"}, 400, "InvalidParameter.MaxResults"},
			refusal{"PG-3", action, values{"NextToken": "x"}, 400, "InvalidParameter.NextToken"})
	}
	return list
}

// published are the codes that the texts list for operations, with their statuses.
var published = map[string]string{
	"CreateCommand": base + `400 CmdParam.EmptyKey, CmdParam.InvalidParamName, CmdContent.DecodeError, InvalidParameter.WorkingDir
		403 CmdContent.ExceedLimit, CmdName.ExceedLimit, CmdDesc.ExceedLimit, CmdCount.ExceedQuota, CmdParamCount.ExceedLimit, CmdParamName.ExceedLimit,
		InvalidStatus.ResourceGroup, InvalidParameterCharacter.CommandName, InvalidParameterCharacter.CommandDescription,
		InvalidParameterCharacter.CommandWorkingDir, InvalidLauncher.LengthLimitExceeded, InvalidTimeout.ExceedLimit
		404 InvalidCmdType.NotFound, InvalidResourceGroup.NotFound`,
	"DescribeCommands": base + tags + pages + `403 InvalidName.LengthLimitExceeded, InvalidDescription.LengthLimitExceeded
		404 InvalidCommandType.NotFound 500 ServiceUnavailable, InternalError`,
	"ModifyCommand": base + `400 InvalidParameter.WorkingDir
		403 CmdName.Readonly, CmdName.ExceedLimit, CmdContent.ExceedLimit, CmdDesc.ExceedLimit, InvalidParameterCharacter.CommandName,
		InvalidParameterCharacter.CommandDescription, InvalidParameterCharacter.CommandWorkingDir, InvalidLauncher.LengthLimitExceeded,
		InvalidTimeout.ExceedLimit 404 InvalidCmdId.NotFound`,
	"DeleteCommand":                `403 Operation.Forbidden, InvalidOperation.CommandInUse 404 InvalidCmdId.NotFound, InvalidRegionId.NotFound 500 InternalError.Dispatch`,
	"DescribeCloudAssistantStatus": base + pages + `403 InstanceIds.ExceedLimit 404 InvalidInstance.NotFound 500 ServiceUnavailable`,
	"CreateActivation": base + tags + `400 InstanceName.ExceedLimit, InstanceName.InvalidPattern, ActivationDesc.ExceedLimit, ActivationLimitation.Invalid,
		AddressRange.InvalidPattern, ActivationCount.ExceedLimit, ActivationTTL.ExceedLimit
		403 InvalidStatus.ResourceGroup, RealNameAuthenticationError, ManagedInstanceCountExceedLimit 404 InvalidResourceGroup.NotFound`,
	"DescribeActivations":       base + tags + pages,
	"DisableActivation":         base + `404 ActivationId.NotFound`,
	"DeleteActivation":          base + `403 ActivationId.InUse 404 ActivationId.NotFound`,
	"DescribeManagedInstances":  base + tags + pages,
	"ModifyManagedInstance":     base + `400 InstanceName.ExceedLimit, InstanceName.InvalidPattern 404 InvalidInstance.NotFound`,
	"DeregisterManagedInstance": base + `404 InvalidInstance.NotFound`,
	"TagResources":              tagging + `400 OperationDenied.QuotaExceed, InvalidTagValue.Malformed, InvalidTag.Mismatch 404 MissingParameter.Tags`,
	"UntagResources":            tagging + `404 MissingParameter.Tags`,
	"ListTagResources":          tagging + `400 InvalidTagCount, InvalidTagValue.Malformed, InvalidTag.Mismatch`,
	"DescribeRegions":           `403 Unauthorized.EmptyRegion 404 InvalidAcceptLanguage.NotFound, InvalidResourceType.NotFound`,
	"RunCommand":                running + runningNew,
	"InvokeCommand":             running + runningStored,
	"StopInvocation":            stopping,
	"ModifyInvocationAttribute": modifying,
	"DescribeInvocations":       reading,
	"DescribeInvocationResults": reading,
	"SendFile":                  sending,
	"DescribeSendFileResults":   base + tags + pages,
	"DescribeInstances":         `400 InvalidTag.Mismatch, InvalidTagCount 404 InvalidStatus.NotFound, InvalidFilterKey.NotFound`,
}

const (
	base    = ` 400 RegionId.ApiNotSupported 403 Operation.Forbidden 404 InvalidRegionId.NotFound 500 InternalError.Dispatch `
	tags    = ` 400 NumberExceed.Tags, MissingParameter.TagKey, Duplicate.TagKey, InvalidTagKey.Malformed, InvalidTagValue.Malformed `
	pages   = ` 400 InvalidParam.PageNumber, InvalidParam.PageSize, InvalidParameter.NextToken, InvalidParameter.MaxResults `
	tagging = ` 400 NumberExceed.ResourceIds, NumberExceed.Tags, Duplicate.TagKey, InvalidTagKey.Malformed
		403 InvalidResourceId.NotSupported, NoPermission.Tag
		404 MissingParameter.ResourceType, MissingParameter.RegionId, InvalidResourceId.NotFound, InvalidResourceType.NotFound, InvalidRegionId.NotFound `
)

// neverHere are the published codes that nothing leads to on this server, as docs/deviations.md says.
var neverHere = []string{
	"RegionId.ApiNotSupported", "Operation.Forbidden", "InvalidStatus.ResourceGroup", "CmdName.Readonly", "ServiceUnavailable", "InternalError",
	"RealNameAuthenticationError", "ManagedInstanceCountExceedLimit", "NoPermission.Tag", "Unauthorized.EmptyRegion",
	"InvalidOperation.CloudAssistantVersionUnsupported", "InvalidOperation.ModifyPublicCommandUnsupported", "InvalidCommandId.NotFound",
	"Parameter.MissingValue", "ParameterStore.NotSupported", "ParameterStore.InvalidParameters", "ParameterStore.NoPermission", "TemporaryAccessKey.Error",
}

// testedApart are those that need more than a request: a quota that is used up, a request before, a fault.
var testedApart = []string{
	"CmdCount.ExceedQuota", "Invocation.ExceedQuota", "ActivationCount.ExceedLimit", "InternalError.Dispatch",
	"IdempotentParameterMismatch", "IdempotentProcessing", "CommandLimitExceeded",
}

// Each code that the texts list for an operation is asked for in a test, with its status, or is known
// not to occur.
func TestPublishedCodesAreReached(t *testing.T) {
	reached := map[string]bool{}
	for _, r := range everyRefusal() {
		reached[fmt.Sprint(r.action, " ", r.status, " ", r.code)] = true
	}
	api := ecs.New(ecs.Config{}).API()
	for action, text := range published {
		status := ""
		for _, word := range strings.Fields(text) {
			code := strings.TrimSuffix(word, ",")
			if len(code) == 3 {
				status = code
				continue
			}
			if slices.Contains(neverHere, code) {
				if slices.ContainsFunc(everyRefusal(), func(r refusal) bool { return r.code == code }) {
					t.Errorf("%s is said never to occur, and does", code)
				}
			} else if !slices.Contains(testedApart, code) && !reached[action+" "+status+" "+code] {
				t.Errorf("%s: nothing asks for %s %s", action, status, code)
			}
		}
		if !slices.ContainsFunc(api.Actions, func(a rpc.Action) bool { return a.Name == action }) {
			t.Errorf("there is no operation %s", action)
		}
	}
}
