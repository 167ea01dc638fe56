package ecs

import "github.com/orderly-run/orderly"

// sentences are the ErrorInfo of each ErrorCode (semantics 10.1): those that the published text
// prints in its words, the others in ours. Not all of the codes occur yet.
var sentences = map[orderly.ErrorCode]string{
	"":                                "",
	orderly.InstanceNotExists:         "The specified instance does not exist",
	orderly.InstanceReleased:          "The specified instance was released during task execution",
	orderly.InstanceNotRunning:        "The specified instance was not running during task execution",
	orderly.CommandNotApplicable:      "The OS type of the instance does not support the specified command type",
	orderly.AccountNotExists:          "The specified account does not exist",
	orderly.DirectoryNotExists:        "The specified directory does not exist",
	"BadCronExpression":               "The cron expression is invalid",
	orderly.ClientNotRunning:          "The aliyun service is not running on the instance",
	orderly.ClientNotResponse:         "The aliyun service in the instance does not response",
	"ClientIsUpgrading":               "The aliyun service in the instance is upgrading during task execution",
	"ClientNeedUpgrade":               "The aliyun service in the instance need to be upgraded",
	orderly.DeliveryTimeout:           "The command delivery has been timeout",
	orderly.ExecutionTimeout:          "The command execution has been timeout",
	orderly.ExecutionException:        "The command execution got an exception",
	orderly.ExecutionInterrupted:      "The command execution has been interrupted",
	orderly.ExitCodeNonzero:           "The command execution exit code is not zero",
	"SecurityGroupRuleDenied":         "The security group rules denied access to the aliyun service",
	orderly.ClientRestarted:           "The aliyun service on the instance was restarted during task execution",
	orderly.InstanceRestarted:         "The specified instance was restarted during task execution",
	orderly.TerminationException:      "The command execution could not be stopped",
	"ScriptFileExisted":               "The script file of the command already exists on the instance",
	orderly.InstanceDeregistered:      "The specified managed instance was deregistered",
	orderly.ClientDiskFull:            "The client has no space left to keep results",
	orderly.ClientNotOnline:           "The aliyun service on the instance has lost its connection",
	"ClientNetworkBlocked":            "The network of the instance blocks the aliyun service",
	orderly.DefaultDirNotAvailable:    "The default working directory is not available on the instance",
	"UserOrPasswordInvalid":           "The user name or the password is invalid on the instance",
	"InvalidCommandText":              "The command content is invalid",
	orderly.CommandContentDecodeError: "The command content cannot be decoded",
	"InvalidSystemBuiltInParameter":   "The command contains an unknown built-in parameter",
	"QueryParameterStoreFailed":       "A parameter could not be read from the parameter store",
	"InstanceRoleInvalid":             "The role of the instance is missing or invalid",
	"InvalidContainerName":            "The container name is invalid",
	"InvalidContainerId":              "The container ID is invalid",
	"UnsupportedContainerRuntime":     "The container runtime of the instance is not supported",
	"ContainerNotFound":               "The specified container does not exist on the instance",
	"ContainerNameDuplicated":         "More than one container has the specified name",
	"ContainerNameAndIdNotMatch":      "The container name and the container ID belong to different containers",
	"ContainerStateAbnormal":          "The specified container is not running",
	"ContainerConnectFailed":          "The specified container could not be connected",
	"CronExpressionExpired":           "The cron expression has no time in the future",
	"InvalidRateExpression":           "The rate expression is invalid",
	"RateFrequencyTooLarge":           "The interval of the rate expression is too long",
	"InvalidAtExpression":             "The at expression is invalid",
	"AtExpressionExpired":             "The time of the at expression has passed",
	"InvalidGMTOffsetForTimezone":     "The GMT offset of the time zone is invalid",
	"InvalidGMTOffsetHourForTimezone": "The hour of the GMT offset is invalid",

	"InvalidGMTOffsetMinuteForTimezone": "The minute of the GMT offset is invalid",
	"TimezoneInformationCorrupt":        "The time zone information on the instance cannot be read",
}

// errorInfo says in a sentence why a task did not succeed. An agent newer than this server may have
// a code without one.
func errorInfo(code orderly.ErrorCode) string {
	if s, ok := sentences[code]; ok {
		return s
	}
	return "The command execution got an exception"
}
