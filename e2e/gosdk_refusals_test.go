package e2e_test

import (
	"errors"
	"strings"
	"testing"

	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
)

// What is refused carries a published code, its status, and the ID of the request.
func TestGoSDKIsRefused(t *testing.T) {
	eachFormat(t, func(p *play) {
		a := p.Server.Agent("one")
		for _, r := range []struct {
			status int
			code   string
			change func(q *ecs.RunCommandRequest)
		}{
			{404, "InvalidRegionId.NotFound", func(q *ecs.RunCommandRequest) { q.RegionId = "cn-nowhere" }},
			{400, "MissingParameter.Type", func(q *ecs.RunCommandRequest) { q.Type = "" }},
			{404, "InvalidCmdType.NotFound", func(q *ecs.RunCommandRequest) { q.Type = "RunPerl" }},
			{400, "InvalidInstance.NotMatch", func(q *ecs.RunCommandRequest) { q.Type = "RunBatScript" }},
			{400, "MissingParam.InstanceId", func(q *ecs.RunCommandRequest) { q.InstanceId = nil }},
			{404, "InvalidInstance.NotFound", func(q *ecs.RunCommandRequest) { q.InstanceId = &[]string{a.ID, "mi-hz0aaaaaaaaaaaa"} }},
			{400, "CmdContent.DecodeError", func(q *ecs.RunCommandRequest) { q.ContentEncoding = "Base64" }},
			{403, "CmdContent.ExceedLimit", func(q *ecs.RunCommandRequest) { q.CommandContent = strings.Repeat("#", 18433) }},
			{403, "InvalidTimeout.ExceedLimit", func(q *ecs.RunCommandRequest) { q.Timeout = number(86401) }},
			{400, "Parameter.Disabled", func(q *ecs.RunCommandRequest) { q.Parameters = map[string]any{"a": "b"} }},
			{404, "InvalidTerminationMode.NotFound", func(q *ecs.RunCommandRequest) { q.TerminationMode = "Gently" }},
			{400, "InvalidTagKey.Malformed", func(q *ecs.RunCommandRequest) { q.Tag = &[]ecs.RunCommandTag{{Key: "acs:x"}} }},
			{400, "InvalidParam.Frequency", func(q *ecs.RunCommandRequest) { q.Frequency = "rate(5 minutes)" }},
			{400, "MissingParam.Frequency", func(q *ecs.RunCommandRequest) { q.RepeatMode = "Period" }},
			{404, "InvalidRepeatMode.NotFound", func(q *ecs.RunCommandRequest) { q.RepeatMode = "Sometimes" }},
		} {
			q := newRun("echo never", a)
			r.change(q)
			refused(p, p.SDK.RunCommand, q, r.status, r.code)
		}
		p.refusedElsewhere()
		if all := ask(p, p.SDK.DescribeInvocations, ecs.CreateDescribeInvocationsRequest()); all.TotalCount != 0 {
			p.Errorf("invocations after refusals only = %d", all.TotalCount)
		}
	})
}

// refusedElsewhere is what other operations refuse.
func (p *play) refusedElsewhere() {
	p.Helper()
	stop := ecs.CreateStopInvocationRequest()
	stop.InvokeId = "t-hz0aaaaaaaaaaaa"
	refused(p, p.SDK.StopInvocation, stop, 404, "InvalidInvokeId.NotFound")
	output := ecs.CreateDescribeInvocationsRequest()
	output.IncludeOutput = truth(true)
	refused(p, p.SDK.DescribeInvocations, output, 400, "MissingParameter.InvokeId")
	size := ecs.CreateDescribeInvocationsRequest()
	size.PageSize = number(51)
	refused(p, p.SDK.DescribeInvocations, size, 400, "InvalidParam.PageSize")
	token := ecs.CreateDescribeCommandsRequest()
	token.NextToken = "made up"
	refused(p, p.SDK.DescribeCommands, token, 400, "InvalidParameter.NextToken")
	long := ecs.CreateCreateActivationRequest()
	long.TimeToLiveInHours = number(5)
	refused(p, p.SDK.CreateActivation, long, 400, "ActivationTTL.ExceedLimit")
	nobody := ecs.CreateDescribeCloudAssistantStatusRequest()
	nobody.InstanceId = &[]string{"mi-hz0aaaaaaaaaaaa"}
	refused(p, p.SDK.DescribeCloudAssistantStatus, nobody, 404, "InvalidInstance.NotFound")
	later := ecs.CreateStartTerminalSessionRequest() // an operation that we do not offer
	refused(p, p.SDK.StartTerminalSession, later, 404, "InvalidAction.NotFound")
}

// Who has no key, or another's secret, gets nothing.
func TestGoSDKNeedsTheKey(t *testing.T) {
	eachFormat(t, func(p *play) {
		p.SDK = goSDK(p, p.Server.Endpoint, "nobody", p.Server.Secret)
		refused(p, p.SDK.DescribeRegions, ecs.CreateDescribeRegionsRequest(), 404, "InvalidAccessKeyId.NotFound")
		p.SDK = goSDK(p, p.Server.Endpoint, p.Server.KeyID, "guess")
		refused(p, p.SDK.DescribeRegions, ecs.CreateDescribeRegionsRequest(), 400, "SignatureDoesNotMatch")
		if p.Format != "JSON" {
			return
		}
		_, err := p.SDK.DescribeRegions(ecs.CreateDescribeRegionsRequest())
		var e *sdkerrors.ServerError
		if !errors.As(err, &e) || !strings.HasPrefix(e.Recommend(), "InvalidAccessKeySecret") {
			p.Errorf("a wrong secret: %v, want that the SDK finds its text to sign the same as ours", err)
		}
	})
}
