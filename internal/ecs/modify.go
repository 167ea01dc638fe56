package ecs

import (
	"context"
	"errors"
	"strings"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/rpc"
)

type modifyInvocationAttributeRequest struct {
	RegionId        string `rpc:",required"`
	InvokeId        string `rpc:",required"`
	CommandContent  string
	ContentEncoding string
	EnableParameter *bool
	Parameters      string
	Frequency       string
	InstanceId      []string
	ClientToken     string
}

type modifyInvocationAttributeResponse struct{ CommandId string }

func (d *Dialect) modifyInvocationAttribute(ctx context.Context, c orderly.Caller, req modifyInvocationAttributeRequest) (modifyInvocationAttributeResponse, error) {
	var resp modifyInvocationAttributeResponse
	m := engine.Modification{
		Region: req.RegionId, InvokeID: req.InvokeId, EnableParameter: req.EnableParameter,
		Parameters: req.Parameters, Frequency: req.Frequency, Instances: req.InstanceId,
	}
	var err error
	if req.CommandContent != "" {
		m.Content, err = contentOf(req.CommandContent, isBase64(req.ContentEncoding))
	}
	if err == nil {
		resp.CommandId, err = d.engine.ModifyInvocation(ctx, c, m, repetition("ModifyInvocationAttribute", req.ClientToken, req))
	}
	return resp, newerCode(err)
}

// modifyCodes are codes of ModifyInvocationAttribute, which is of the newer style, where other
// operations have older ones for the same.
var modifyCodes = map[orderly.Reason]rpc.Code{
	orderly.FrequencyInvalid:      {Status: badRequest, Code: "InvalidParameter.Frequency"}, // its reader says why
	orderly.ContentUndecodable:    {Status: badRequest, Code: "InvalidCommandContent.DecodeError", Message: "The specified command content cannot be decoded."},
	orderly.ContentTooLong:        {Status: forbidden, Code: "InvalidCommandContent.LengthLimitExceeded", Message: "The specified command content is too long."},
	orderly.ParametersMalformed:   {Status: badRequest, Code: "InvalidParameters.KeyMalformed", Message: "The specified Parameters is not a JSON object."},
	orderly.ParameterIllegal:      {Status: badRequest, Code: "InvalidParameters.KeyMalformed", Message: "The specified Parameters contains illegal characters."},
	orderly.ParameterNameInvalid:  {Status: badRequest, Code: "InvalidParameters.KeyMalformed", Message: "A parameter name in the command is not valid."},
	orderly.ParameterKeyEmpty:     {Status: badRequest, Code: "InvalidParameters.KeyEmpty", Message: "A key of the specified Parameters is empty."},
	orderly.ParameterNameEmpty:    {Status: badRequest, Code: "InvalidParameters.KeyEmpty", Message: "A parameter name in the command is empty."},
	orderly.ParameterKeyDuplicate: {Status: badRequest, Code: "InvalidParameters.KeyDuplicate", Message: "A key of the specified Parameters occurs more than once."},
	orderly.ParameterUnknown:      {Status: badRequest, Code: "InvalidParameters.KeyNotMatch", Message: "A key of the specified Parameters is not defined in the command."},
	orderly.ParametersDisabled:    {Status: badRequest, Code: "InvalidParameters.KeyNotMatch", Message: "The command does not take parameters."},
	orderly.ParameterKeyTooLong:   {Status: forbidden, Code: "InvalidParameters.KeyLengthLimitExceeded", Message: "A key of the specified Parameters is longer than 64 characters."},
	orderly.ParameterNameTooLong:  {Status: forbidden, Code: "InvalidParameters.KeyLengthLimitExceeded", Message: "A parameter name in the command is too long."},
	orderly.ParametersTooMany:     {Status: forbidden, Code: "InvalidParameters.CountLimitExceeded", Message: "The specified Parameters has too many entries."},
	orderly.ParameterNamesTooMany: {Status: forbidden, Code: "InvalidParameters.CountLimitExceeded", Message: "The command has too many parameters."},
	orderly.ParameterTypeInvalid:  {Status: forbidden, Code: "InvalidParameters.ValueTypeUnsupported", Message: "A value of the specified Parameters has an unsupported type."},
	orderly.InstanceUnknown:       {Status: notFound, Code: "InvalidInstanceId.NotFound", Message: "The specified instance does not exist."},
	orderly.InstanceMismatch:      {Status: forbidden, Code: "InvalidInstanceId.OSTypeUnsupported", Message: "The command type does not fit the operating system of an instance."},
	orderly.TargetsTooMany:        {Status: forbidden, Code: "InvalidInstanceId.CountLimitExceeded", Message: "The number of instances exceeds the limit."},
	orderly.CommandQuota:          {Status: forbidden, Code: "CommandLimitExceeded", Message: "The maximum number of commands in the region has been reached."},
}

// newerCode refuses with a code of the newer style where there is one.
func newerCode(err error) error {
	var reason orderly.Reason
	if !errors.As(err, &reason) {
		return err
	}
	code, ok := modifyCodes[reason]
	if !ok {
		return err
	}
	if code.Message == "" {
		_, code.Message, _ = strings.Cut(err.Error(), string(reason)+": ")
	}
	return &rpc.Error{Status: code.Status, Code: code.Code, Message: code.Message}
}
