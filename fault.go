package orderly

import (
	"fmt"
	"io"
	"strings"
)

// An ErrorCode says why a task did not succeed: the published per-instance ErrorCode (semantics
// 10.1). "" is no error. An agent newer than this server may have codes that Faults lacks.
type ErrorCode string

// The codes of Faults. Not all of them occur yet.
const (
	InstanceNotExists                 ErrorCode = "InstanceNotExists"
	InstanceReleased                  ErrorCode = "InstanceReleased"
	InstanceNotRunning                ErrorCode = "InstanceNotRunning"
	CommandNotApplicable              ErrorCode = "CommandNotApplicable"
	AccountNotExists                  ErrorCode = "AccountNotExists"
	DirectoryNotExists                ErrorCode = "DirectoryNotExists"
	BadCronExpression                 ErrorCode = "BadCronExpression"
	ClientNotRunning                  ErrorCode = "ClientNotRunning"
	ClientNotResponse                 ErrorCode = "ClientNotResponse"
	ClientIsUpgrading                 ErrorCode = "ClientIsUpgrading"
	ClientNeedUpgrade                 ErrorCode = "ClientNeedUpgrade"
	DeliveryTimeout                   ErrorCode = "DeliveryTimeout"
	ExecutionTimeout                  ErrorCode = "ExecutionTimeout"
	ExecutionException                ErrorCode = "ExecutionException"
	ExecutionInterrupted              ErrorCode = "ExecutionInterrupted"
	ExitCodeNonzero                   ErrorCode = "ExitCodeNonzero"
	SecurityGroupRuleDenied           ErrorCode = "SecurityGroupRuleDenied"
	ClientRestarted                   ErrorCode = "ClientRestarted"
	InstanceRestarted                 ErrorCode = "InstanceRestarted"
	TerminationException              ErrorCode = "TerminationException"
	ScriptFileExisted                 ErrorCode = "ScriptFileExisted"
	InstanceDeregistered              ErrorCode = "InstanceDeregistered"
	ClientDiskFull                    ErrorCode = "ClientDiskFull"
	ClientNotOnline                   ErrorCode = "ClientNotOnline"
	ClientNetworkBlocked              ErrorCode = "ClientNetworkBlocked"
	DefaultDirNotAvailable            ErrorCode = "DefaultWorkingDirectoryNotAvailable"
	UserOrPasswordInvalid             ErrorCode = "UserOrPasswordInvalid"
	InvalidCommandText                ErrorCode = "InvalidCommandText"
	CommandContentDecodeError         ErrorCode = "CommandContentDecodeError"
	InvalidBuiltInParameter           ErrorCode = "InvalidSystemBuiltInParameter"
	QueryParameterStoreFailed         ErrorCode = "QueryParameterStoreFailed"
	InstanceRoleInvalid               ErrorCode = "InstanceRoleInvalid"
	InvalidContainerName              ErrorCode = "InvalidContainerName"
	InvalidContainerID                ErrorCode = "InvalidContainerId"
	UnsupportedContainerRuntime       ErrorCode = "UnsupportedContainerRuntime"
	ContainerNotFound                 ErrorCode = "ContainerNotFound"
	ContainerNameDuplicated           ErrorCode = "ContainerNameDuplicated"
	ContainerNameAndIdNotMatch        ErrorCode = "ContainerNameAndIdNotMatch"
	ContainerStateAbnormal            ErrorCode = "ContainerStateAbnormal"
	ContainerConnectFailed            ErrorCode = "ContainerConnectFailed"
	CronExpressionExpired             ErrorCode = "CronExpressionExpired"
	InvalidRateExpression             ErrorCode = "InvalidRateExpression"
	RateFrequencyTooLarge             ErrorCode = "RateFrequencyTooLarge"
	InvalidAtExpression               ErrorCode = "InvalidAtExpression"
	AtExpressionExpired               ErrorCode = "AtExpressionExpired"
	InvalidGMTOffsetForTimezone       ErrorCode = "InvalidGMTOffsetForTimezone"
	InvalidGMTOffsetHourForTimezone   ErrorCode = "InvalidGMTOffsetHourForTimezone"
	InvalidGMTOffsetMinuteForTimezone ErrorCode = "InvalidGMTOffsetMinuteForTimezone"
	TimezoneInformationCorrupt        ErrorCode = "TimezoneInformationCorrupt"
	FileCreateFail                    ErrorCode = "FileCreateFail"
	FileAlreadyExists                 ErrorCode = "FileAlreadyExists"
	FileContentInvalid                ErrorCode = "FileContentInvalid"
	FileNameInvalid                   ErrorCode = "FileNameInvalid"
	FilePathInvalid                   ErrorCode = "FilePathInvalid"
	FileAuthorityInvalid              ErrorCode = "FileAuthorityInvalid"
	UserGroupNotExists                ErrorCode = "UserGroupNotExists"
)

// A Fault is one row of the catalogue of error codes. The newer texts list more codes than the
// older ones, which SWAS follows: for a code without an older sentence SWAS shows another code (EC-1).
type Fault struct {
	Code     ErrorCode
	State    State     // in which it usually ends a task
	Info     string    // its sentence in the newer wording; {v} and {f} stand for a version and a feature
	OldInfo  string    // its sentence in the older wording, spelled as there
	Old      ErrorCode // shown instead where the older codes count
	OldError ErrorCode // shown instead of that in the state Error: the run may have begun
}

// Faults is the catalogue. docs/error-codes.md is printed from it.
//
//go:generate go test -run ^TestErrorCodesDocument$ . -update
var Faults = []Fault{
	{Code: InstanceNotExists, State: Aborted, Info: "The specified instance does not exist", OldInfo: "the specified instance does not exists"},
	{Code: InstanceReleased, State: Error, Info: "The specified instance was released during task execution", OldInfo: "the instance has released when create task"},
	{Code: InstanceNotRunning, State: Aborted, Info: "The specified instance was not running during task execution", OldInfo: "the instance is not running when create task"},
	{Code: CommandNotApplicable, State: Invalid, Info: "The OS type of the instance does not support the specified command type", OldInfo: "the command is not applicable"},
	{Code: AccountNotExists, State: Invalid, Info: "The specified account does not exist", OldInfo: "the specified account does not exists"},
	{Code: DirectoryNotExists, State: Invalid, Info: "The specified directory does not exist", OldInfo: "the specified directory does not exists"},
	{Code: BadCronExpression, State: Invalid, Info: "The cron expression is invalid", OldInfo: "the cron job expression is invalid"},
	{Code: ClientNotRunning, State: Aborted, Info: "The aliyun service is not running on the instance", OldInfo: "the aliyun service is not running on the instance"},
	{Code: ClientNotResponse, State: Aborted, Info: "The aliyun service in the instance does not response", OldInfo: "the aliyun service in the instance does not response"},
	{Code: ClientIsUpgrading, State: Aborted, Info: "The aliyun service in the instance is upgrading during task execution", OldInfo: "the aliyun service in the instance is upgrading now"},
	{Code: ClientNeedUpgrade, State: Aborted, Info: "The aliyun service in the instance need to be upgraded to at least version {v} to support the feature {f}", OldInfo: "the aliyun service in the instance need upgrade"},
	{Code: DeliveryTimeout, State: Aborted, Info: "The command delivery has been timeout", OldInfo: "the command delivery has been timeout"},
	{Code: ExecutionTimeout, State: Timeout, Info: "The command execution has been timeout", OldInfo: "the command execution has been timeout"},
	{Code: ExecutionException, State: Error, Info: "The command execution got an exception", OldInfo: "the command execution got an exception"},
	{Code: ExecutionInterrupted, State: Error, Info: "The command execution has been interrupted", OldInfo: "the command execution has been interrupted"},
	{Code: ExitCodeNonzero, State: Failed, Info: "The command execution exit code is not zero", OldInfo: "the command execution exit code is not zero"},
	{Code: SecurityGroupRuleDenied, State: Aborted, Info: "The security group rules denied access to the aliyun service", Old: ClientNotResponse},
	{Code: ClientRestarted, State: Error, Info: "The aliyun service on the instance was restarted during task execution", Old: ExecutionInterrupted},
	{Code: InstanceRestarted, State: Error, Info: "The specified instance was restarted during task execution", Old: ExecutionInterrupted},
	{Code: TerminationException, State: Error, Info: "The command execution could not be stopped", Old: ExecutionInterrupted},
	{Code: ScriptFileExisted, State: Error, Info: "The script file of the command already exists on the instance", Old: ExecutionException},
	{Code: InstanceDeregistered, State: Aborted, Info: "The specified managed instance was deregistered", Old: InstanceNotExists, OldError: InstanceReleased},
	{Code: ClientDiskFull, State: Invalid, Info: "The client has no space left to keep results", Old: ClientNotResponse},
	{Code: ClientNotOnline, State: Aborted, Info: "The aliyun service on the instance has lost its connection", Old: ClientNotResponse},
	{Code: ClientNetworkBlocked, State: Aborted, Info: "The network of the instance blocks the aliyun service", Old: ClientNotResponse},
	{Code: DefaultDirNotAvailable, State: Invalid, Info: "The default working directory is not available on the instance", Old: DirectoryNotExists},
	{Code: UserOrPasswordInvalid, State: Invalid, Info: "The user name or the password is invalid on the instance", Old: CommandNotApplicable},
	{Code: InvalidCommandText, State: Invalid, Info: "The command content is invalid", Old: CommandNotApplicable},
	{Code: CommandContentDecodeError, State: Invalid, Info: "The command content cannot be decoded", Old: CommandNotApplicable},
	{Code: InvalidBuiltInParameter, State: Invalid, Info: "The command contains an unknown built-in parameter", Old: CommandNotApplicable},
	{Code: QueryParameterStoreFailed, State: Invalid, Info: "A parameter could not be read from the parameter store", Old: CommandNotApplicable},
	{Code: InstanceRoleInvalid, State: Invalid, Info: "The role of the instance is missing or invalid", Old: CommandNotApplicable},
	{Code: InvalidContainerName, State: Invalid, Info: "The container name is invalid", Old: CommandNotApplicable},
	{Code: InvalidContainerID, State: Invalid, Info: "The container ID is invalid", Old: CommandNotApplicable},
	{Code: UnsupportedContainerRuntime, State: Invalid, Info: "The container runtime of the instance is not supported", Old: CommandNotApplicable},
	{Code: ContainerNotFound, State: Invalid, Info: "The specified container does not exist on the instance", Old: CommandNotApplicable},
	{Code: ContainerNameDuplicated, State: Invalid, Info: "More than one container has the specified name", Old: CommandNotApplicable},
	{Code: ContainerNameAndIdNotMatch, State: Invalid, Info: "The container name and the container ID belong to different containers", Old: CommandNotApplicable},
	{Code: ContainerStateAbnormal, State: Invalid, Info: "The specified container is not running", Old: CommandNotApplicable},
	{Code: ContainerConnectFailed, State: Invalid, Info: "The specified container could not be connected", Old: CommandNotApplicable},
	{Code: CronExpressionExpired, State: Invalid, Info: "The cron expression has no time in the future", Old: BadCronExpression},
	{Code: InvalidRateExpression, State: Invalid, Info: "The rate expression is invalid", Old: BadCronExpression},
	{Code: RateFrequencyTooLarge, State: Invalid, Info: "The interval of the rate expression is too long", Old: BadCronExpression},
	{Code: InvalidAtExpression, State: Invalid, Info: "The at expression is invalid", Old: BadCronExpression},
	{Code: AtExpressionExpired, State: Invalid, Info: "The time of the at expression has passed", Old: BadCronExpression},
	{Code: InvalidGMTOffsetForTimezone, State: Invalid, Info: "The GMT offset of the time zone is invalid", Old: BadCronExpression},
	{Code: InvalidGMTOffsetHourForTimezone, State: Invalid, Info: "The hour of the GMT offset is invalid", Old: BadCronExpression},
	{Code: InvalidGMTOffsetMinuteForTimezone, State: Invalid, Info: "The minute of the GMT offset is invalid", Old: BadCronExpression},
	{Code: TimezoneInformationCorrupt, State: Invalid, Info: "The time zone information on the instance cannot be read", Old: BadCronExpression},
	{Code: FileCreateFail, State: Failed, Info: "The file could not be created", Old: ExecutionException},
	{Code: FileAlreadyExists, State: Invalid, Info: "The file already exists", Old: CommandNotApplicable},
	{Code: FileContentInvalid, State: Invalid, Info: "The file content is invalid", Old: CommandNotApplicable},
	{Code: FileNameInvalid, State: Invalid, Info: "The file name is invalid", Old: CommandNotApplicable},
	{Code: FilePathInvalid, State: Invalid, Info: "The target directory is invalid", Old: CommandNotApplicable},
	{Code: FileAuthorityInvalid, State: Failed, Info: "The file mode or the file owner is invalid", Old: ExecutionException},
	{Code: UserGroupNotExists, State: Invalid, Info: "The specified user group does not exist", Old: CommandNotApplicable},
}

var faults = func() map[ErrorCode]*Fault {
	m := map[ErrorCode]*Fault{}
	for i := range Faults {
		m[Faults[i].Code] = &Faults[i]
	}
	return m
}()

// fault is the row of c; a code that is not in the catalogue is told of as an exception.
func (c ErrorCode) fault() *Fault {
	if f, ok := faults[c]; ok {
		return f
	}
	return faults[ExecutionException]
}

// Info says c in a sentence, in the newer wording. Which version would support which feature is
// not known for a task, so that clause of ClientNeedUpgrade is left out.
func (c ErrorCode) Info() string {
	if c == "" {
		return ""
	}
	info, _, _ := strings.Cut(c.fault().Info, " to at least version {v}")
	return info
}

// Older is what stands for c, in a task that ended in a state, where the older codes and their
// wording count (EC-1): a code that those texts list, and its sentence.
func (c ErrorCode) Older(s State) (ErrorCode, string) {
	if c == "" {
		return "", ""
	}
	f := c.fault()
	switch {
	case f.OldInfo != "":
	case f.OldError != "" && s == Error:
		f = f.OldError.fault()
	default:
		f = f.Old.fault()
	}
	return f.Code, f.OldInfo
}

// PrintErrorCodes writes docs/error-codes.md.
func PrintErrorCodes(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Why a task did not succeed\n\n<!-- Printed from the table in fault.go by `make error-codes`; do not edit. -->\n\n")
	b.WriteString("Describe operations show for each instance an `ErrorCode`, and in `ErrorInfo` a sentence for it. Both are empty when\n" +
		"nothing went wrong. These are the codes that an answer may have, each with the state that it usually comes with; not all of\n" +
		"them occur yet. Match on the code, not on the sentence. A code that is not listed is from an agent newer than the server,\n" +
		"and has the sentence of `ExecutionException`.\n\n" +
		"In that of `ClientNeedUpgrade`, what begins with \"to at least version\" is left out where the version is not known.\n\n" +
		"The last column is what the SWAS dialect shows: an older sentence, or another code where its text does not list this one.\n\n" +
		"| ErrorCode | state | ErrorInfo | in SWAS |\n|---|---|---|---|\n")
	for _, f := range Faults {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", f.Code, f.states(), f.Info, f.older())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (f *Fault) states() string {
	if f.OldError != "" {
		return fmt.Sprintf("%s, %s", f.State, Error)
	}
	return string(f.State)
}

func (f *Fault) older() string {
	switch {
	case f.OldInfo != "":
		return f.OldInfo
	case f.OldError != "":
		return fmt.Sprintf("`%s`, with %s `%s`", f.Old, Error, f.OldError)
	}
	return fmt.Sprintf("`%s`", f.Old)
}
