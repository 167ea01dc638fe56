package orderly

import "fmt"

// A Reason is one way a request can fail that its caller can act on. An error that wraps no
// Reason is our fault: the caller sees "internal error" and a request ID, the operator the log.
// Each dialect has one table from Reason to its published status and code.
type Reason string

func (r Reason) Error() string { return string(r) }

// Errorf adds detail that is safe to show to the caller.
func (r Reason) Errorf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", r, fmt.Sprintf(format, args...))
}

// Reasons around regions, pages, tokens and tags.
const (
	RegionUnknown        Reason = "unknown region"
	NotOffered           Reason = "not offered yet"
	PageNumberInvalid    Reason = "page number out of range"
	PageSizeInvalid      Reason = "page size out of range"
	MaxResultsInvalid    Reason = "max results out of range"
	NextTokenInvalid     Reason = "next token is foreign or altered"
	InvokeIDMissing      Reason = "an invocation must be named"
	ClientTokenMalformed Reason = "client token is not ASCII or too long"
	ClientTokenMismatch  Reason = "client token was used with other parameters"
	ClientTokenInWork    Reason = "first request with this client token is still in work"
	ResourceGroupUnknown Reason = "unknown resource group"

	TagsTooMany       Reason = "too many tags"
	TagKeyMissing     Reason = "tag key missing"
	TagKeyMalformed   Reason = "bad tag key"
	TagValueMalformed Reason = "bad tag value"
	TagKeyDuplicate   Reason = "duplicate tag key"
	TagMismatch       Reason = "tag key and tag value do not pair"
	TagPatternsMany   Reason = "too many tag filters"
	TagQuota          Reason = "tag quota of the resource used up"
	TagsMissing       Reason = "no tags given"

	ResourcesTooMany    Reason = "too many resources"
	ResourceUnknown     Reason = "unknown resource"
	ResourceUntaggable  Reason = "resources of this type carry no tags here"
	ResourceTypeUnknown Reason = "unknown resource type"
)

// Reasons around commands and their content.
const (
	CommandUnknown         Reason = "unknown command"
	CommandInUse           Reason = "an invocation of the command is unfinished"
	CommandQuota           Reason = "command quota used up"
	CommandTypeUnknown     Reason = "unknown command type"
	FilterTypeUnknown      Reason = "unknown command type in a filter"
	CommandNameTooLong     Reason = "command name too long"
	CommandNameIllegal     Reason = "illegal character in the command name"
	DescriptionTooLong     Reason = "description too long"
	DescriptionIllegal     Reason = "illegal character in the description"
	FilterNameTooLong      Reason = "name filter too long"
	FilterDescTooLong      Reason = "description filter too long"
	WorkingDirInvalid      Reason = "bad working directory"
	WorkingDirIllegal      Reason = "illegal character in the working directory"
	ContentUndecodable     Reason = "content is not Base64"
	ContentTooLong         Reason = "content too long"
	TimeoutTooLong         Reason = "timeout above the limit"
	LauncherTooLong        Reason = "launcher too long"
	UsernameTooLong        Reason = "user name too long"
	PasswordNameTooLong    Reason = "password name too long"
	PasswordNameMissing    Reason = "password name missing"
	ParameterNameEmpty     Reason = "empty parameter name in the command"
	ParameterNameInvalid   Reason = "bad parameter name in the command"
	ParameterNameTooLong   Reason = "parameter name in the command too long"
	ParameterNamesTooMany  Reason = "too many parameters in the command"
	ParametersMalformed    Reason = "parameters are not a JSON object"
	ParametersTooMany      Reason = "too many parameters"
	ParameterKeyEmpty      Reason = "parameter key empty"
	ParameterKeyTooLong    Reason = "parameter key too long"
	ParameterKeyMalformed  Reason = "bad parameter key"
	ParameterKeyDuplicate  Reason = "duplicate parameter key"
	ParameterUnknown       Reason = "parameter not in the command"
	ParameterTypeInvalid   Reason = "parameter value of an unsupported type"
	ParametersDisabled     Reason = "the command takes no parameters"
	ParameterIllegal       Reason = "illegal character in the parameters"
	ContainerIDMalformed   Reason = "bad container ID"
	ContainerNameMalformed Reason = "bad container name"
)

// Reasons around invocations, targets and stops.
const (
	TargetMissing          Reason = "no target"
	TargetsTooMany         Reason = "too many targets"
	InstanceUnknown        Reason = "unknown instance"
	InstanceNotInTask      Reason = "instance is not part of the invocation"
	InstanceMismatch       Reason = "command type does not fit the instance"
	InvocationUnknown      Reason = "unknown invocation"
	InvocationQuota        Reason = "invocation quota of the day used up"
	RepeatModeUnknown      Reason = "unknown repeat mode"
	FrequencyMissing       Reason = "frequency missing"
	FrequencyInvalid       Reason = "bad frequency"
	RunsOnce               Reason = "the invocation runs once"
	InvocationOver         Reason = "the invocation is over"
	TerminationModeUnknown Reason = "unknown termination mode"
	DeliveryTimeoutInvalid Reason = "delivery timeout out of range"

	TargetTagsTooMany       Reason = "too many target tags"
	TargetTagKeyMissing     Reason = "target tag key missing"
	TargetTagKeyMalformed   Reason = "bad target tag key"
	TargetTagValueMalformed Reason = "bad target tag value"
	TargetTagKeyDuplicate   Reason = "duplicate target tag key"
	TargetTagsMatchNothing  Reason = "tags select no instance"
	TargetTagsConflict      Reason = "instance IDs and tags exclude each other"
)

// Reasons around files.
const (
	FileNameTooLong        Reason = "file name too long"
	FileDescriptionTooLong Reason = "description of the file too long"
	FileDirInvalid         Reason = "bad target directory"
	FileOwnerInvalid       Reason = "bad file owner"
	FileGroupInvalid       Reason = "bad file group"
	FileModeInvalid        Reason = "bad file mode"
	FileTypeUnknown        Reason = "unknown content type of a file"
	FileUndecodable        Reason = "file content is not Base64"
	FileTooLarge           Reason = "file too large"
)

// Reasons around activations and managed instances.
const (
	ActivationUnknown        Reason = "unknown activation"
	ActivationInUse          Reason = "instances were registered with the activation"
	ActivationQuota          Reason = "activation quota used up"
	ActivationTTLInvalid     Reason = "time to live out of range"
	ActivationCountInvalid   Reason = "instance count out of range"
	ActivationDescTooLong    Reason = "activation description too long"
	InstanceNameTooLong      Reason = "instance name too short or too long"
	InstanceNameInvalid      Reason = "bad instance name"
	AddressRangeInvalid      Reason = "neither an address nor a CIDR block"
	InstanceStatusUnknown    Reason = "unknown instance status"
	FilterKeyUnknown         Reason = "unknown filter key"
	ActivationRefused        Reason = "activation ID or code is wrong"
	ActivationExpired        Reason = "the activation code has expired"
	ActivationDisabled       Reason = "the activation code is disabled"
	ActivationUsedUp         Reason = "the activation code has been used as often as it may"
	ActivationAddressRefused Reason = "the activation code may not be used from this address"
	RegistrationMalformed    Reason = "the registration is incomplete or malformed"
)
