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

// codes is the one table from reasons to what callers see (semantics 10.2): what all dialects share,
// and what is asked for in this one only. The newer statuses count where texts differ. Messages that
// the published texts print are theirs, to the letter; the others are ours.
var codes = rpc.SharedCodes(map[orderly.Reason]rpc.Code{
	// regions, pages, tokens and tags
	orderly.MaxResultsInvalid:   {Status: badRequest, Code: "InvalidParameter.MaxResults", Message: "The specified parameter MaxResults is not valid."},
	orderly.InvokeIDMissing:     {Status: badRequest, Code: "MissingParameter.InvokeId", Message: "You must specify InvokeId."},
	orderly.ClientTokenMismatch: {Status: forbidden, Code: "IdempotentParameterMismatch", Message: "The specified ClientToken was used with other parameters."},
	orderly.ClientTokenInWork:   {Status: forbidden, Code: "IdempotentProcessing", Message: "The first request with the specified ClientToken is still being processed."},

	// commands and their content
	orderly.FilterDescTooLong:      {Status: forbidden, Code: "InvalidDescription.LengthLimitExceeded", Message: "The specified description is too long."},
	orderly.ContentUndecodable:     {Status: badRequest, Code: "CmdContent.DecodeError", Message: "The specified command content cannot be decoded."},
	orderly.LauncherTooLong:        {Status: forbidden, Code: "InvalidLauncher.LengthLimitExceeded", Message: "The specified launcher is longer than 1 KB."},
	orderly.ContainerIDMalformed:   {Status: badRequest, Code: "InvalidContainerId.Malformed", Message: "The specified container ID is not valid."},
	orderly.ContainerNameMalformed: {Status: badRequest, Code: "InvalidContainerName.Malformed", Message: "The specified container name is not valid."},

	// invocations, targets and stops
	orderly.RepeatModeUnknown:       {Status: notFound, Code: "InvalidRepeatMode.NotFound", Message: "The specified RepeatMode does not exist."},
	orderly.FrequencyMissing:        {Status: badRequest, Code: "MissingParam.Frequency", Message: "You must specify Frequency for the specified RepeatMode."},
	orderly.FrequencyInvalid:        {Status: badRequest, Code: "InvalidParam.Frequency"}, // its reader says why,
	orderly.RunsOnce:                {Status: forbidden, Code: "InvalidOperation.RepeatModeUnsupported", Message: "The specified invocation runs once."},
	orderly.InvocationOver:          {Status: forbidden, Code: "InvalidOperation.InvokeAlreadyFinished", Message: "The specified invocation is over."},
	orderly.ParameterKeyMalformed:   {Status: badRequest, Code: "InvalidParameters.KeyMalformed", Message: "A key of the specified Parameters is not valid."},
	orderly.TerminationModeUnknown:  {Status: notFound, Code: "InvalidTerminationMode.NotFound", Message: "The specified TerminationMode does not exist."},
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
	orderly.FilterKeyUnknown:       {Status: notFound, Code: "InvalidFilterKey.NotFound", Message: "The specified Filter.N.Key does not exist."},
	orderly.AddressRangeInvalid:    {Status: badRequest, Code: "AddressRange.InvalidPattern", Message: "The specified IpAddressRange is neither an address nor a CIDR block."},
})
