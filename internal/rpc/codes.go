package rpc

import (
	"maps"
	"net/http"

	"github.com/orderly-run/orderly"
)

// SharedCodes is a dialect's table of codes: those that the dialects share, and its own, which go
// first.
func SharedCodes(own map[orderly.Reason]Code) map[orderly.Reason]Code {
	codes := maps.Clone(sharedCodes)
	maps.Copy(codes, own)
	return codes
}

// sharedCodes are the codes of refusals that requests of more than one dialect meet.
var sharedCodes = map[orderly.Reason]Code{
	// regions, pages, tokens and tags
	orderly.RegionUnknown:        {http.StatusNotFound, "InvalidRegionId.NotFound", "The RegionId provided does not exist in our records."},
	orderly.NotOffered:           {http.StatusBadRequest, "InvalidParameter", "The request asks for something that is not offered by this server yet."},
	orderly.PageNumberInvalid:    {http.StatusBadRequest, "InvalidParam.PageNumber", "The specified parameter is invalid."},
	orderly.PageSizeInvalid:      {http.StatusBadRequest, "InvalidParam.PageSize", "The specified parameter is invalid."},
	orderly.NextTokenInvalid:     {http.StatusBadRequest, "InvalidParameter.NextToken", "The specified parameter NextToken is not valid."},
	orderly.ClientTokenMalformed: {http.StatusBadRequest, "InvalidClientToken.Malformed", "The specified ClientToken is not ASCII or is longer than 64 characters."},
	orderly.ResourceGroupUnknown: {http.StatusNotFound, "InvalidResourceGroup.NotFound", "The specified ResourceGroupId does not exist."},
	orderly.TagsTooMany:          {http.StatusBadRequest, "NumberExceed.Tags", "The Tags parameter number is exceed."},
	orderly.TagKeyMissing:        {http.StatusBadRequest, "MissingParameter.TagKey", "You must specify Tag.N.Key."},
	orderly.TagKeyMalformed:      {http.StatusBadRequest, "InvalidTagKey.Malformed", "The specified Tag.n.Key is not valid."},
	orderly.TagValueMalformed:    {http.StatusBadRequest, "InvalidTagValue.Malformed", "The specified Tag.n.Value is not valid."},
	orderly.TagKeyDuplicate:      {http.StatusBadRequest, "Duplicate.TagKey", "The Tag.N.Key contain duplicate key."},
	orderly.TagMismatch:          {http.StatusBadRequest, "InvalidTag.Mismatch", "A tag key and a tag value do not belong together."},
	orderly.TagPatternsMany:      {http.StatusBadRequest, "InvalidTagCount", "There are too many tags to filter by."},
	orderly.TagQuota:             {http.StatusBadRequest, "OperationDenied.QuotaExceed", "A resource cannot have more than 20 tags."},
	orderly.TagsMissing:          {http.StatusNotFound, "MissingParameter.Tags", "You must specify tags."},
	orderly.ResourcesTooMany:     {http.StatusBadRequest, "NumberExceed.ResourceIds", "More than 50 resources were specified."},
	orderly.ResourceUnknown:      {http.StatusNotFound, "InvalidResourceId.NotFound", "A specified resource does not exist."},
	orderly.ResourceUntaggable:   {http.StatusForbidden, "InvalidResourceId.NotSupported", "Resources of the specified type do not carry tags on this server."},
	orderly.ResourceTypeUnknown:  {http.StatusNotFound, "InvalidResourceType.NotFound", "The specified ResourceType does not exist."},

	// commands and their content
	orderly.CommandUnknown:        {http.StatusNotFound, "InvalidCmdId.NotFound", "The specified command ID does not exist."},
	orderly.CommandInUse:          {http.StatusForbidden, "InvalidOperation.CommandInUse", "The specified command is being run."},
	orderly.CommandQuota:          {http.StatusForbidden, "CmdCount.ExceedQuota", "The maximum number of commands in the region has been reached."},
	orderly.CommandTypeUnknown:    {http.StatusNotFound, "InvalidCmdType.NotFound", "The specified command type does not exist."},
	orderly.FilterTypeUnknown:     {http.StatusNotFound, "InvalidCommandType.NotFound", "The specified command type does not exist."},
	orderly.CommandNameTooLong:    {http.StatusForbidden, "CmdName.ExceedLimit", "The specified command name is too long."},
	orderly.CommandNameIllegal:    {http.StatusForbidden, "InvalidParameterCharacter.CommandName", "The specified command name contains illegal characters."},
	orderly.DescriptionTooLong:    {http.StatusForbidden, "CmdDesc.ExceedLimit", "The specified description is too long."},
	orderly.DescriptionIllegal:    {http.StatusForbidden, "InvalidParameterCharacter.CommandDescription", "The specified description contains illegal characters."},
	orderly.FilterNameTooLong:     {http.StatusForbidden, "InvalidName.LengthLimitExceeded", "The specified name is too long."},
	orderly.WorkingDirInvalid:     {http.StatusBadRequest, "InvalidParameter.WorkingDir", "The specified working directory is not valid."},
	orderly.WorkingDirIllegal:     {http.StatusForbidden, "InvalidParameterCharacter.CommandWorkingDir", "The specified working directory contains illegal characters."},
	orderly.ContentTooLong:        {http.StatusForbidden, "CmdContent.ExceedLimit", "The specified command content is too long."},
	orderly.TimeoutTooLong:        {http.StatusForbidden, "InvalidTimeout.ExceedLimit", "The specified timeout is above the upper limit."},
	orderly.UsernameTooLong:       {http.StatusForbidden, "Username.ExceedLimit", "The specified user name is too long."},
	orderly.PasswordNameTooLong:   {http.StatusForbidden, "WindowsPasswordName.ExceedLimit", "The specified password name is too long."},
	orderly.PasswordNameMissing:   {http.StatusForbidden, "WindowsPasswordName.Missed", "You must specify WindowsPasswordName for the specified user."},
	orderly.ParameterNameEmpty:    {http.StatusBadRequest, "CmdParam.EmptyKey", "A parameter name in the command is empty."},
	orderly.ParameterNameInvalid:  {http.StatusBadRequest, "CmdParam.InvalidParamName", "A parameter name in the command is not valid."},
	orderly.ParameterNameTooLong:  {http.StatusForbidden, "CmdParamName.ExceedLimit", "A parameter name in the command is too long."},
	orderly.ParameterNamesTooMany: {http.StatusForbidden, "CmdParamCount.ExceedLimit", "The command has too many parameters."},
	orderly.ParametersMalformed:   {http.StatusBadRequest, "InvalidParameter.Parameters", "The specified Parameters is not a JSON object."},
	orderly.ParametersTooMany:     {http.StatusForbidden, "ParameterCount.ExceedLimit", "The specified Parameters has too many entries."},
	orderly.ParameterKeyEmpty:     {http.StatusForbidden, "ParameterKey.ExceedLimit", "A key of the specified Parameters is empty or longer than 64 characters."},
	orderly.ParameterKeyTooLong:   {http.StatusForbidden, "ParameterKey.ExceedLimit", "A key of the specified Parameters is empty or longer than 64 characters."},
	orderly.ParameterKeyDuplicate: {http.StatusForbidden, "ParameterKey.Duplicate", "A key of the specified Parameters occurs more than once."},
	orderly.ParameterUnknown:      {http.StatusForbidden, "Parameter.NotMatched", "A key of the specified Parameters is not defined in the command."},
	orderly.ParameterTypeInvalid:  {http.StatusForbidden, "ParameterType.NotSupported", "A value of the specified Parameters has an unsupported type."},
	orderly.ParametersDisabled:    {http.StatusBadRequest, "Parameter.Disabled", "The command does not take parameters."},
	orderly.ParameterIllegal:      {http.StatusForbidden, "InvalidParameterCharset.Parameters", "The specified Parameters contains illegal characters."},

	// invocations, targets and stops
	orderly.TargetMissing:          {http.StatusBadRequest, "MissingParam.InstanceId", "You must specify InstanceId."},
	orderly.TargetsTooMany:         {http.StatusForbidden, "InstanceIds.ExceedLimit", "The number of instances exceeds the limit."},
	orderly.InstanceUnknown:        {http.StatusNotFound, "InvalidInstance.NotFound", "The specified instance does not exist."},
	orderly.InstanceNotInTask:      {http.StatusNotFound, "InvalidInstanceId.NotFound", "The specified instance is not part of the specified invocation."},
	orderly.InstanceMismatch:       {http.StatusBadRequest, "InvalidInstance.NotMatch", "The command type does not fit the operating system of an instance."},
	orderly.InvocationUnknown:      {http.StatusNotFound, "InvalidInvokeId.NotFound", "The specified invocation ID does not exist."},
	orderly.InvocationQuota:        {http.StatusForbidden, "Invocation.ExceedQuota", "The maximum number of invocations of the day has been reached."},
	orderly.DeliveryTimeoutInvalid: {http.StatusBadRequest, "InvalidParameter.DeliveryTimeout", "The specified DeliveryTimeout is not between 10 and 604800."},

	// files
	orderly.FileNameTooLong:        {http.StatusForbidden, "FileName.ExceedLimit", "The specified file name is too long."},
	orderly.FileDescriptionTooLong: {http.StatusForbidden, "FileDesc.ExceedLimit", "The specified description is too long."},
	orderly.FileDirInvalid:         {http.StatusBadRequest, "FileTargetDir.Invalid", "The specified TargetDir is not a full path of at most 255 characters."},
	orderly.FileOwnerInvalid:       {http.StatusBadRequest, "InvalidParameter.FileOwner", "The specified FileOwner is not valid."},
	orderly.FileGroupInvalid:       {http.StatusBadRequest, "InvalidParameter.FileGroup", "The specified FileGroup is not valid."},
	orderly.FileModeInvalid:        {http.StatusBadRequest, "FileMode.Invalid", "The specified FileMode is not three or four octal digits."},
	orderly.FileTypeUnknown:        {http.StatusBadRequest, "FileContentType.Invalid", "The specified ContentType does not exist."},
	orderly.FileUndecodable:        {http.StatusBadRequest, "FileContent.DecodeError", "The specified file content is not Base64."},
	orderly.FileTooLarge:           {http.StatusForbidden, "FileSize.ExceedLimit", "The specified file content is larger than 32 KB in Base64."},

	// activations and managed instances
	orderly.InstanceStatusUnknown: {http.StatusNotFound, "InvalidStatus.NotFound", "The specified Status does not exist."},
}
