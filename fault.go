package orderly

// An ErrorCode says why a task did not succeed: the published per-instance ErrorCode (semantics
// 10.1). "" is no error. Each dialect has the sentences that go with them.
type ErrorCode string

// The codes that can occur.
const (
	InstanceNotExists         ErrorCode = "InstanceNotExists"
	InstanceReleased          ErrorCode = "InstanceReleased"
	InstanceNotRunning        ErrorCode = "InstanceNotRunning"
	CommandNotApplicable      ErrorCode = "CommandNotApplicable"
	AccountNotExists          ErrorCode = "AccountNotExists"
	DirectoryNotExists        ErrorCode = "DirectoryNotExists"
	DefaultDirNotAvailable    ErrorCode = "DefaultWorkingDirectoryNotAvailable"
	ClientNotRunning          ErrorCode = "ClientNotRunning"
	ClientNotResponse         ErrorCode = "ClientNotResponse"
	ClientNotOnline           ErrorCode = "ClientNotOnline"
	ClientDiskFull            ErrorCode = "ClientDiskFull"
	ClientRestarted           ErrorCode = "ClientRestarted"
	InstanceRestarted         ErrorCode = "InstanceRestarted"
	InstanceDeregistered      ErrorCode = "InstanceDeregistered"
	DeliveryTimeout           ErrorCode = "DeliveryTimeout"
	ExecutionTimeout          ErrorCode = "ExecutionTimeout"
	ExecutionException        ErrorCode = "ExecutionException"
	ExecutionInterrupted      ErrorCode = "ExecutionInterrupted"
	ExitCodeNonzero           ErrorCode = "ExitCodeNonzero"
	TerminationException      ErrorCode = "TerminationException"
	CommandContentDecodeError ErrorCode = "CommandContentDecodeError"
)
