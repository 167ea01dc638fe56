package ecs

import (
	"net/http"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
)

const (
	badRequest = http.StatusBadRequest
	forbidden  = http.StatusForbidden
	notFound   = http.StatusNotFound
)

// codes is the one table from reasons to what callers see (semantics 10.2). The newer statuses
// count where texts differ. Messages that the published texts print are theirs, to the letter; the
// others are ours.
var codes = map[orderly.Reason]rpc.Code{
	// regions, pages, tokens and tags
	orderly.RegionUnknown:        {Status: notFound, Code: "InvalidRegionId.NotFound", Message: "The RegionId provided does not exist in our records."},
	orderly.NotOffered:           {Status: badRequest, Code: "InvalidParameter", Message: "The request asks for something that is not offered by this server yet."},
	orderly.PageNumberInvalid:    {Status: badRequest, Code: "InvalidParam.PageNumber", Message: "The specified parameter is invalid."},
	orderly.PageSizeInvalid:      {Status: badRequest, Code: "InvalidParam.PageSize", Message: "The specified parameter is invalid."},
	orderly.MaxResultsInvalid:    {Status: badRequest, Code: "InvalidParameter.MaxResults", Message: "The specified parameter MaxResults is not valid."},
	orderly.NextTokenInvalid:     {Status: badRequest, Code: "InvalidParameter.NextToken", Message: "The specified parameter NextToken is not valid."},
	orderly.InvokeIDMissing:      {Status: badRequest, Code: "MissingParameter.InvokeId", Message: "You must specify InvokeId."},
	orderly.ClientTokenMalformed: {Status: badRequest, Code: "InvalidClientToken.Malformed", Message: "The specified ClientToken is not ASCII or is longer than 64 characters."},
	orderly.ClientTokenMismatch:  {Status: forbidden, Code: "IdempotentParameterMismatch", Message: "The specified ClientToken was used with other parameters."},
	orderly.ClientTokenInWork:    {Status: forbidden, Code: "IdempotentProcessing", Message: "The first request with the specified ClientToken is still being processed."},
	orderly.ResourceGroupUnknown: {Status: notFound, Code: "InvalidResourceGroup.NotFound", Message: "The specified ResourceGroupId does not exist."},
	orderly.TagsTooMany:          {Status: badRequest, Code: "NumberExceed.Tags", Message: "The Tags parameter number is exceed."},
	orderly.TagKeyMissing:        {Status: badRequest, Code: "MissingParameter.TagKey", Message: "You must specify Tag.N.Key."},
	orderly.TagKeyMalformed:      {Status: badRequest, Code: "InvalidTagKey.Malformed", Message: "The specified Tag.n.Key is not valid."},
	orderly.TagValueMalformed:    {Status: badRequest, Code: "InvalidTagValue.Malformed", Message: "The specified Tag.n.Value is not valid."},
	orderly.TagKeyDuplicate:      {Status: badRequest, Code: "Duplicate.TagKey", Message: "The Tag.N.Key contain duplicate key."},
	orderly.TagMismatch:          {Status: badRequest, Code: "InvalidTag.Mismatch", Message: "A tag key and a tag value do not belong together."},
	orderly.TagPatternsMany:      {Status: badRequest, Code: "InvalidTagCount", Message: "There are too many tags to filter by."},
	orderly.TagQuota:             {Status: badRequest, Code: "OperationDenied.QuotaExceed", Message: "A resource cannot have more than 20 tags."},
	orderly.TagsMissing:          {Status: notFound, Code: "MissingParameter.Tags", Message: "You must specify tags."},
	orderly.ResourcesTooMany:     {Status: badRequest, Code: "NumberExceed.ResourceIds", Message: "More than 50 resources were specified."},
	orderly.ResourceUnknown:      {Status: notFound, Code: "InvalidResourceId.NotFound", Message: "A specified resource does not exist."},
	orderly.ResourceUntaggable:   {Status: forbidden, Code: "InvalidResourceId.NotSupported", Message: "Resources of the specified type do not carry tags on this server."},
	orderly.ResourceTypeUnknown:  {Status: notFound, Code: "InvalidResourceType.NotFound", Message: "The specified ResourceType does not exist."},

	// commands and their content
	orderly.CommandUnknown:         {Status: notFound, Code: "InvalidCmdId.NotFound", Message: "The specified command ID does not exist."},
	orderly.CommandInUse:           {Status: forbidden, Code: "InvalidOperation.CommandInUse", Message: "The specified command is being run."},
	orderly.CommandQuota:           {Status: forbidden, Code: "CmdCount.ExceedQuota", Message: "The maximum number of commands in the region has been reached."},
	orderly.CommandTypeUnknown:     {Status: notFound, Code: "InvalidCmdType.NotFound", Message: "The specified command type does not exist."},
	orderly.FilterTypeUnknown:      {Status: notFound, Code: "InvalidCommandType.NotFound", Message: "The specified command type does not exist."},
	orderly.CommandNameTooLong:     {Status: forbidden, Code: "CmdName.ExceedLimit", Message: "The specified command name is too long."},
	orderly.CommandNameIllegal:     {Status: forbidden, Code: "InvalidParameterCharacter.CommandName", Message: "The specified command name contains illegal characters."},
	orderly.DescriptionTooLong:     {Status: forbidden, Code: "CmdDesc.ExceedLimit", Message: "The specified description is too long."},
	orderly.DescriptionIllegal:     {Status: forbidden, Code: "InvalidParameterCharacter.CommandDescription", Message: "The specified description contains illegal characters."},
	orderly.FilterNameTooLong:      {Status: forbidden, Code: "InvalidName.LengthLimitExceeded", Message: "The specified name is too long."},
	orderly.FilterDescTooLong:      {Status: forbidden, Code: "InvalidDescription.LengthLimitExceeded", Message: "The specified description is too long."},
	orderly.WorkingDirInvalid:      {Status: badRequest, Code: "InvalidParameter.WorkingDir", Message: "The specified working directory is not valid."},
	orderly.WorkingDirIllegal:      {Status: forbidden, Code: "InvalidParameterCharacter.CommandWorkingDir", Message: "The specified working directory contains illegal characters."},
	orderly.ContentUndecodable:     {Status: badRequest, Code: "CmdContent.DecodeError", Message: "The specified command content cannot be decoded."},
	orderly.ContentTooLong:         {Status: forbidden, Code: "CmdContent.ExceedLimit", Message: "The specified command content is too long."},
	orderly.TimeoutTooLong:         {Status: forbidden, Code: "InvalidTimeout.ExceedLimit", Message: "The specified timeout is above the upper limit."},
	orderly.LauncherTooLong:        {Status: forbidden, Code: "InvalidLauncher.LengthLimitExceeded", Message: "The specified launcher is longer than 1 KB."},
	orderly.UsernameTooLong:        {Status: forbidden, Code: "Username.ExceedLimit", Message: "The specified user name is too long."},
	orderly.PasswordNameTooLong:    {Status: forbidden, Code: "WindowsPasswordName.ExceedLimit", Message: "The specified password name is too long."},
	orderly.PasswordNameMissing:    {Status: forbidden, Code: "WindowsPasswordName.Missed", Message: "You must specify WindowsPasswordName for the specified user."},
	orderly.ParameterNameEmpty:     {Status: badRequest, Code: "CmdParam.EmptyKey", Message: "A parameter name in the command is empty."},
	orderly.ParameterNameInvalid:   {Status: badRequest, Code: "CmdParam.InvalidParamName", Message: "A parameter name in the command is not valid."},
	orderly.ParameterNameTooLong:   {Status: forbidden, Code: "CmdParamName.ExceedLimit", Message: "A parameter name in the command is too long."},
	orderly.ParameterNamesTooMany:  {Status: forbidden, Code: "CmdParamCount.ExceedLimit", Message: "The command has too many parameters."},
	orderly.ParametersMalformed:    {Status: badRequest, Code: "InvalidParameter.Parameters", Message: "The specified Parameters is not a JSON object."},
	orderly.ParametersTooMany:      {Status: forbidden, Code: "ParameterCount.ExceedLimit", Message: "The specified Parameters has too many entries."},
	orderly.ParameterKeyTooLong:    {Status: forbidden, Code: "ParameterKey.ExceedLimit", Message: "A key of the specified Parameters is empty or longer than 64 characters."},
	orderly.ParameterKeyDuplicate:  {Status: forbidden, Code: "ParameterKey.Duplicate", Message: "A key of the specified Parameters occurs more than once."},
	orderly.ParameterUnknown:       {Status: forbidden, Code: "Parameter.NotMatched", Message: "A key of the specified Parameters is not defined in the command."},
	orderly.ParameterTypeInvalid:   {Status: forbidden, Code: "ParameterType.NotSupported", Message: "A value of the specified Parameters has an unsupported type."},
	orderly.ParametersDisabled:     {Status: badRequest, Code: "Parameter.Disabled", Message: "The command does not take parameters."},
	orderly.ParameterIllegal:       {Status: forbidden, Code: "InvalidParameterCharset.Parameters", Message: "The specified Parameters contains illegal characters."},
	orderly.ContainerIDMalformed:   {Status: badRequest, Code: "InvalidContainerId.Malformed", Message: "The specified container ID is not valid."},
	orderly.ContainerNameMalformed: {Status: badRequest, Code: "InvalidContainerName.Malformed", Message: "The specified container name is not valid."},

	// invocations, targets and stops
	orderly.TargetMissing:           {Status: badRequest, Code: "MissingParam.InstanceId", Message: "You must specify InstanceId."},
	orderly.TargetsTooMany:          {Status: forbidden, Code: "InstanceIds.ExceedLimit", Message: "The number of instances exceeds the limit."},
	orderly.InstanceUnknown:         {Status: notFound, Code: "InvalidInstance.NotFound", Message: "The specified instance does not exist."},
	orderly.InstanceNotInTask:       {Status: notFound, Code: "InvalidInstanceId.NotFound", Message: "The specified instance is not part of the specified invocation."},
	orderly.InstanceMismatch:        {Status: badRequest, Code: "InvalidInstance.NotMatch", Message: "The command type does not fit the operating system of an instance."},
	orderly.InvocationUnknown:       {Status: notFound, Code: "InvalidInvokeId.NotFound", Message: "The specified invocation ID does not exist."},
	orderly.InvocationQuota:         {Status: forbidden, Code: "Invocation.ExceedQuota", Message: "The maximum number of invocations of the day has been reached."},
	orderly.RepeatModeUnknown:       {Status: notFound, Code: "InvalidRepeatMode.NotFound", Message: "The specified RepeatMode does not exist."},
	orderly.FrequencyMissing:        {Status: badRequest, Code: "MissingParam.Frequency", Message: "You must specify Frequency for the specified RepeatMode."},
	orderly.FrequencyInvalid:        {Status: badRequest, Code: "InvalidParam.Frequency", Message: "The specified Frequency is not valid."},
	orderly.TerminationModeUnknown:  {Status: notFound, Code: "InvalidTerminationMode.NotFound", Message: "The specified TerminationMode does not exist."},
	orderly.DeliveryTimeoutInvalid:  {Status: badRequest, Code: "InvalidParameter.DeliveryTimeout", Message: "The specified DeliveryTimeout is not between 10 and 604800."},
	orderly.TargetTagsTooMany:       {Status: badRequest, Code: "NumberExceed.ResourceTags", Message: "The number of ResourceTag exceeds the limit."},
	orderly.TargetTagKeyMissing:     {Status: badRequest, Code: "MissingParameter.ResourceTagKey", Message: "You must specify ResourceTag.N.Key."},
	orderly.TargetTagKeyMalformed:   {Status: badRequest, Code: "InvalidResourceTagKey.Malformed", Message: "The specified ResourceTag.N.Key is not valid."},
	orderly.TargetTagValueMalformed: {Status: badRequest, Code: "InvalidResourceTagValue.Malformed", Message: "The specified ResourceTag.N.Value is not valid."},
	orderly.TargetTagKeyDuplicate:   {Status: badRequest, Code: "Duplicate.ResourceTagKey", Message: "The specified ResourceTag.N.Key occurs more than once."},
	orderly.TargetTagsMatchNothing:  {Status: badRequest, Code: "InvalidResourceTag.InstanceNotFound", Message: "No instance has the specified tags."},
	orderly.TargetTagsConflict:      {Status: badRequest, Code: "InvalidResourceTag.ConflictWithInstanceIds", Message: "ResourceTag cannot be specified together with InstanceId."},

	// activations and managed instances
	orderly.ActivationUnknown:      {Status: notFound, Code: "ActivationId.NotFound", Message: "The specified activation ID does not exist."},
	orderly.ActivationInUse:        {Status: forbidden, Code: "ActivationId.InUse", Message: "Instances were registered with the specified activation."},
	orderly.ActivationQuota:        {Status: badRequest, Code: "ActivationCount.ExceedLimit", Message: "The maximum number of activations in the region has been reached."},
	orderly.ActivationTTLInvalid:   {Status: badRequest, Code: "ActivationTTL.ExceedLimit", Message: "The specified TimeToLiveInHours is out of range."},
	orderly.ActivationCountInvalid: {Status: badRequest, Code: "ActivationLimitation.Invalid", Message: "The specified InstanceCount is out of range."},
	orderly.ActivationDescTooLong:  {Status: badRequest, Code: "ActivationDesc.ExceedLimit", Message: "The specified description is too long."},
	orderly.InstanceNameTooLong:    {Status: badRequest, Code: "InstanceName.ExceedLimit", Message: "The specified instance name is too short or too long."},
	orderly.InstanceNameInvalid:    {Status: badRequest, Code: "InstanceName.InvalidPattern", Message: "The specified instance name is not valid."},
	orderly.InstanceStatusUnknown:  {Status: notFound, Code: "InvalidStatus.NotFound", Message: "The specified Status does not exist."},
	orderly.FilterKeyUnknown:       {Status: notFound, Code: "InvalidFilterKey.NotFound", Message: "The specified Filter.N.Key does not exist."},
	orderly.AddressRangeInvalid:    {Status: badRequest, Code: "AddressRange.InvalidPattern", Message: "The specified IpAddressRange is neither an address nor a CIDR block."},
}
