package e2e_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
	swas "github.com/aliyun/alibaba-cloud-sdk-go/services/swas-open"

	"github.com/orderly-run/orderly/e2e/stage"
)

// machineName is what the second dialect calls a machine (ID-4).
var machineName = regexp.MustCompile(`^[0-9a-f]{32}$`)

// A second is a play that is told by the client of the second dialect, on two machines with their names
// in it.
type second struct {
	*play
	SDK      *swas.Client
	machines []string
}

func openSecond(p *play) *second {
	p.Helper()
	c, err := swas.NewClientWithAccessKey(stage.Region, p.Server.KeyID, p.Server.Secret)
	if err != nil {
		p.Fatal(err)
	}
	scheme, host, _ := strings.Cut(p.Server.Endpoint, "://")
	c.Domain = host
	c.GetConfig().WithScheme(strings.ToUpper(scheme))
	p.Server.Agents("one", "two")
	s := &second{play: p, SDK: c}
	for _, name := range []string{"one", "two"} {
		q := swas.CreateListInstancesRequest()
		q.InstanceName = name
		list := ask(p, c.ListInstances, q).Instances
		if len(list) != 1 || list[0].InstanceName != name || !machineName.MatchString(list[0].InstanceId) {
			p.Fatalf("machines named %s: %+v", name, list)
		}
		s.machines = append(s.machines, list[0].InstanceId)
	}
	return s
}

// inJSON is the same play in JSON: the SDK reads no maps in XML.
func (s *second) inJSON() *play {
	p := *s.play
	p.Format = "JSON"
	return &p
}

// jsonList is a list as one JSON text.
func jsonList(t testing.TB, list ...string) string {
	t.Helper()
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every operation of the second dialect, by the vendor's Go client, on real agents, with every value of
// the answers.
func TestGoSDKSpeaksTheSecondDialect(t *testing.T) {
	eachFormat(t, func(p *play) {
		s := openSecond(p)
		s.lists()
		command := s.commands()
		s.invoke(command)
		s.run()
		s.tags(command)
		s.refusals(command)
		s.apart(command)
	})
}

// lists reads the machines and the regions.
func (s *second) lists() {
	s.Helper()
	q := swas.CreateListInstancesRequest()
	q.InstanceIds = jsonList(s, s.machines[1])
	list := ask(s.play, s.SDK.ListInstances, q)
	list.BaseResponse = nil
	check(s, "ListInstances", *list, swas.ListInstancesResponse{
		RequestId: list.RequestId, TotalCount: 1, PageNumber: 1, PageSize: 10,
		Instances: []swas.Instance{{
			InstanceId: s.machines[1], InstanceName: "two", Status: "Running", BusinessStatus: "Normal", ChargeType: "PrePaid", RegionId: stage.Region, CreationTime: anyTime,
			Image: swas.Image{ImageName: systemName(s), OsType: "Linux"}, InnerIpAddress: "127.0.0.1", PublicIpAddress: "127.0.0.1",
		}},
	})
	status := swas.CreateListInstanceStatusRequest()
	status.InstanceIds = jsonList(s, s.machines...)
	check(s, "ListInstanceStatus", ask(s.play, s.SDK.ListInstanceStatus, status).InstanceStatuses, []swas.InstanceStatuse{
		{InstanceId: s.machines[1], Status: "Running"}, {InstanceId: s.machines[0], Status: "Running"},
	})
	assistants := swas.CreateDescribeCloudAssistantStatusRequest()
	assistants.InstanceIds, assistants.PageSize = &s.machines, number(1)
	page := ask(s.play, s.SDK.DescribeCloudAssistantStatus, assistants)
	check(s, "DescribeCloudAssistantStatus", page.CloudAssistantStatus, []swas.Status{{InstanceId: s.machines[1], Status: true}})
	check(s, "its page", []int{page.TotalCount, page.PageNumber, page.PageSize}, []int{2, 1, 1})
	attributes := swas.CreateDescribeCloudAssistantAttributesRequest()
	attributes.InstanceIds = &[]string{s.machines[0]}
	check(s, "DescribeCloudAssistantAttributes", ask(s.play, s.SDK.DescribeCloudAssistantAttributes, attributes).CloudAssistant, []swas.Status{{
		InstanceId: s.machines[0], CloudAssistantStatus: "true", CloudAssistantVersion: anyValue, OSType: "Linux", LastHeartbeatTime: anyTime,
	}})
	install := swas.CreateInstallCloudAssistantRequest()
	install.InstanceIds = &s.machines
	ask(s.play, s.SDK.InstallCloudAssistant, install)
	regions := swas.CreateListRegionsRequest()
	regions.AcceptLanguage = "en-US"
	check(s, "ListRegions", ask(s.play, s.SDK.ListRegions, regions).Regions, []swas.Region{
		{RegionId: stage.Region, LocalName: stage.Region, RegionEndpoint: s.Server.Host()},
	})
}

const greeting = `echo "hello {{name}}"; echo '<é>'; exit {{ code }}`

// commands makes commands, changes, reads and deletes them; one is left.
func (s *second) commands() string {
	s.Helper()
	q := swas.CreateCreateCommandRequest()
	q.Name, q.Type, q.CommandContent, q.Description, q.EnableParameter = "greet", "RunShellScript", greeting, "says <hello>", truth(true)
	q.WorkingDir, q.Timeout, q.ResourceGroupId, q.Tag = "/", number(30), "rg-1", &[]swas.CreateCommandTag{{Key: "k 1", Value: "v*~"}}
	id := ask(s.play, s.SDK.CreateCommand, q).CommandId
	change := swas.CreateUpdateCommandAttributeRequest()
	change.CommandId, change.Name, change.WorkingDir, change.Timeout = id, "changed & *~", "/tmp", number(20)
	ask(s.play, s.SDK.UpdateCommandAttribute, change)
	list := swas.CreateDescribeCommandsRequest()
	list.Provider, list.Name, list.PageNumber, list.PageSize = "User", "changed & *~", "1", "5"
	got := ask(s.play, s.SDK.DescribeCommands, list)
	check(s, "DescribeCommands", got.Commands, []swas.Command{{
		CommandId: id, Name: "changed & *~", Description: "says <hello>", Type: "RunShellScript", CommandContent: greeting, WorkingDir: "/tmp", Timeout: 20,
		EnableParameter: true, ParameterNames: []string{"name", "code"}, Provider: "User", ResourceGroupId: "rg-1", CreationTime: anyTime,
		Tags: []swas.Tag{{Key: "k 1", Value: "v*~"}},
	}})
	check(s, "its page", []int{got.TotalCount, got.PageNumber, got.PageSize}, []int{1, 1, 5})
	q.Tag = nil
	remove := swas.CreateDeleteCommandRequest()
	remove.CommandId = ask(s.play, s.SDK.CreateCommand, q).CommandId
	ask(s.play, s.SDK.DeleteCommand, remove)
	return id
}

// invoke runs a stored command on both machines, and reads the results in each way that there is.
func (s *second) invoke(command string) {
	s.Helper()
	q := swas.CreateInvokeCommandRequest()
	q.CommandId, q.InstanceIds = command, jsonList(s, s.machines...)
	q.QueryParams["Parameters"] = `{"name":"Jack \u0026 Jill","code":"7"}` // the SDK panics when its own field has anything in it
	id := ask(s.play, s.SDK.InvokeCommand, q).InvokeId
	v := s.ended(id)
	on := func(machine string) swas.InvokeInstance {
		return swas.InvokeInstance{
			InstanceId: machine, StartTime: anyTime, FinishTime: anyTime, InvocationStatus: "Failed", Output: "hello Jack & Jill\n<é>\n", ExitCode: 7,
			ErrorInfo: "the command execution exit code is not zero", ErrorCode: "ExitCodeNonzero",
		}
	}
	check(s, "DescribeCommandInvocations", v, swas.Command{
		InvokeId: id, CreationTime: anyTime, CommandId: command, InvocationStatus: "Failed", CommandName: "changed & *~", CommandType: "RunShellScript",
		CommandDescription: "says <hello>", WorkingDir: "/tmp", Timeout: 20, CommandContent: greeting, Parameters: `{"code":"7","name":"Jack & Jill"}`,
		InvokeInstances: []swas.InvokeInstance{on(s.machines[0]), on(s.machines[1])},
	})
	checkOrder(s, "run", v.CreationTime, v.InvokeInstances[0].StartTime, v.InvokeInstances[0].FinishTime)
	one := swas.CreateDescribeInvocationResultRequest()
	one.InvokeId, one.InstanceId = id, s.machines[1]
	check(s, "DescribeInvocationResult", ask(s.play, s.SDK.DescribeInvocationResult, one).InvocationResult, swas.InvocationResult{
		InvokeId: id, InstanceId: s.machines[1], InvocationStatus: "Failed", InvokeRecordStatus: "Finished", StartTime: anyTime, FinishedTime: anyTime, ExitCode: 7,
		Output: base64Of("hello Jack & Jill\n<é>\n"), ErrorInfo: "the command execution exit code is not zero", ErrorCode: "ExitCodeNonzero",
	})
	list := swas.CreateDescribeInvocationsRequest()
	list.InstanceId, list.InvokeStatus, list.PageSize = s.machines[0], "Finished", number(50)
	check(s, "DescribeInvocations", ask(s.inJSON(), s.SDK.DescribeInvocations, list).Invocations, []swas.Invocation{{
		InvokeId: id, CreationTime: anyTime, CommandName: "changed & *~", CommandType: "RunShellScript", CommandContent: base64Of(greeting),
		Parameters: map[string]any{"name": "Jack & Jill", "code": "7"}, InvocationStatus: "Failed", InvokeStatus: "Finished",
	}})
}

// run runs a new command on one machine, whose own state its invocation shows (AG-4).
func (s *second) run() {
	s.Helper()
	q := swas.CreateRunCommandRequest()
	q.InstanceId, q.Name, q.Type, q.CommandContent = s.machines[0], "slow", "RunShellScript", "sleep 60"
	q.Timeout, q.WorkingDir, q.WorkingUser = number(10), "/tmp", account(s).Username
	id := ask(s.play, s.SDK.RunCommand, q).InvokeId
	list := swas.CreateDescribeCommandInvocationsRequest()
	list.InstanceId, list.InvocationStatus, list.CommandType, list.PageNumber, list.PageSize = s.machines[0], "Running", "RunShellScript", "1", "1"
	stage.Await(s, stage.Patience, id+" runs", func() error {
		if got := ask(s.play, s.SDK.DescribeCommandInvocations, list).CommandInvocations; len(got) != 1 || got[0].InvokeId != id || got[0].InvocationStatus != "Running" {
			return fmt.Errorf("running: %+v", got)
		}
		return nil
	})
	v := s.ended(id)
	check(s, "a run out of time", v, swas.Command{
		InvokeId: id, CreationTime: anyTime, CommandId: anyID, InvocationStatus: "Timeout", CommandName: "slow", CommandType: "RunShellScript",
		WorkingDir: "/tmp", Timeout: 10, Username: account(s).Username, CommandContent: "sleep 60", Parameters: "{}",
		InvokeInstances: []swas.InvokeInstance{{
			InstanceId: s.machines[0], StartTime: anyTime, FinishTime: anyTime, InvocationStatus: "Timeout", ExitCode: v.InvokeInstances[0].ExitCode,
			ErrorInfo: "the command execution has been timeout", ErrorCode: "ExecutionTimeout",
		}},
	})
}

// ended waits until an invocation has ended.
func (s *second) ended(id string) (v swas.Command) {
	s.Helper()
	q := swas.CreateDescribeCommandInvocationsRequest()
	q.InvokeId = id
	stage.Await(s, stage.Patience, id+" has ended", func() error {
		got := ask(s.play, s.SDK.DescribeCommandInvocations, q)
		if len(got.CommandInvocations) != 1 || got.TotalCount != 1 || got.PageNumber != 1 || got.PageSize != 10 {
			return fmt.Errorf("%+v", got)
		}
		if v = got.CommandInvocations[0]; v.InvocationStatus == "Pending" || v.InvocationStatus == "Running" {
			return fmt.Errorf("it is %s", v.InvocationStatus)
		}
		return nil
	})
	return v
}

func (s *second) tags(command string) {
	s.Helper()
	for kind, id := range map[string]string{"command": command, "instance": s.machines[0]} {
		set := swas.CreateTagResourcesRequest()
		set.ResourceType, set.ResourceId, set.Tag, set.ClientToken = kind, &[]string{id}, &[]swas.TagResourcesTag{{Key: "role", Value: "db & *~"}}, "again"
		ask(s.play, s.SDK.TagResources, set)
		ask(s.play, s.SDK.TagResources, set)
		list := swas.CreateListTagResourcesRequest()
		list.ResourceType, list.Tag = kind, &[]swas.ListTagResourcesTag{{Key: "role", Value: "db & *~"}}
		got := ask(s.play, s.SDK.ListTagResources, list).TagResources.TagResource
		check(s, "tags of a "+kind, got[len(got)-1:], []swas.TagResource{{ResourceId: id, ResourceType: kind, TagKey: "role", TagValue: "db & *~"}})
		remove := swas.CreateUntagResourcesRequest()
		remove.ResourceType, remove.ResourceId, remove.All = kind, &[]string{id}, truth(true)
		ask(s.play, s.SDK.UntagResources, remove)
		check(s, "tags of a "+kind+" when all are gone", ask(s.play, s.SDK.ListTagResources, list).TagResources.TagResource, nil)
	}
}

func (s *second) refusals(command string) {
	s.Helper()
	invoke := swas.CreateInvokeCommandRequest()
	invoke.CommandId, invoke.InstanceIds = command, s.machines[0]
	refused(s.play, s.SDK.InvokeCommand, invoke, 400, "InvalidParameter.InstanceIds")
	invoke.InstanceIds = jsonList(s, s.machines[0], "ace0706b2ac4454d984295a942130000")
	refused(s.play, s.SDK.InvokeCommand, invoke, 404, "InvalidInstance.NotFound")
	invoke.InstanceIds, invoke.CommandId = jsonList(s, s.machines...), "c-hz0aaaaaaaaaaaa"
	refused(s.play, s.SDK.InvokeCommand, invoke, 404, "InvalidCmdId.NotFound")
	list := swas.CreateDescribeCommandInvocationsRequest()
	list.PageNumber = "0"
	refused(s.play, s.SDK.DescribeCommandInvocations, list, 400, "InvalidParam.PageNumber")
	terminal := swas.CreateStartTerminalSessionRequest()
	terminal.InstanceId = s.machines[0]
	refused(s.play, s.SDK.StartTerminalSession, terminal, 400, "RegionId.ApiNotSupported")
	login := swas.CreateLoginInstanceRequest()
	login.InstanceId, login.Port = s.machines[0], number(22)
	refused(s.play, s.SDK.LoginInstance, login, 400, "RegionId.ApiNotSupported")
	vnc := swas.CreateDescribeInstanceVncUrlRequest()
	vnc.InstanceId = "mi-hz0aaaaaaaaaaaa"
	refused(s.play, s.SDK.DescribeInstanceVncUrl, vnc, 404, "InvalidInstance.NotFound")
}

// apart checks that nothing of what was done here is in an answer of the first dialect (SW-3).
func (s *second) apart(command string) {
	s.Helper()
	if all := ask(s.play, s.play.SDK.DescribeInvocations, ecs.CreateDescribeInvocationsRequest()); all.TotalCount != 0 {
		s.Errorf("invocations in the first dialect: %+v", all)
	}
	q := ecs.CreateDescribeCommandsRequest()
	q.CommandId = command
	if all := ask(s.play, s.play.SDK.DescribeCommands, q); all.TotalCount != 0 {
		s.Errorf("commands in the first dialect: %+v", all)
	}
}
