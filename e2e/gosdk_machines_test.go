package e2e_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/orderly-run/orderly/e2e/stage"
)

// statusOf is what DescribeCloudAssistantStatus says of machines.
func (p *play) statusOf(agents ...*stage.Agent) []ecs.InstanceCloudAssistantStatus {
	p.Helper()
	q := ecs.CreateDescribeCloudAssistantStatusRequest()
	q.InstanceId = ids(agents)
	return ask(p, p.SDK.DescribeCloudAssistantStatus, q).InstanceCloudAssistantStatusSet.InstanceCloudAssistantStatus
}

// machines are the machines that an activation let in.
func (p *play) machines(activation string) []ecs.InstanceInDescribeManagedInstances {
	p.Helper()
	q := ecs.CreateDescribeManagedInstancesRequest()
	q.ActivationId = activation
	a := ask(p, p.SDK.DescribeManagedInstances, q)
	check(p, "the page of machines", a, &ecs.DescribeManagedInstancesResponse{
		TotalCount: int64(len(a.Instances)), PageNumber: 1, PageSize: 10, Instances: a.Instances,
	})
	return a.Instances
}

// activation is the one with that ID in the list of all.
func (p *play) activation(id string) ecs.Activation {
	p.Helper()
	q := ecs.CreateDescribeActivationsRequest()
	q.ActivationId = id
	a := ask(p, p.SDK.DescribeActivations, q)
	if len(a.ActivationList) != 1 || a.TotalCount != 1 || a.PageNumber != 1 || a.PageSize != 10 || a.NextToken != "" {
		p.Fatalf("activations with ID %s: %+v", id, a)
	}
	return a.ActivationList[0]
}

var (
	activationID   = regexp.MustCompile(`^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$`)
	activationCode = regexp.MustCompile(`^a-[a-z]{2}0[0-9A-Za-z+/]+$`)
)

// createActivation makes one that says all that one can say.
func (p *play) createActivation() (*ecs.CreateActivationResponse, ecs.Activation) {
	p.Helper()
	q := ecs.CreateCreateActivationRequest()
	q.Description, q.InstanceName, q.InstanceCount, q.TimeToLiveInHours = "for <tests> & more", "web", number(100), number(3)
	q.IpAddressRange, q.ResourceGroupId = "127.0.0.0/8", "rg-123"
	q.Tag = &[]ecs.CreateActivationTag{{Key: "role", Value: "web"}}
	code := ask(p, p.SDK.CreateActivation, q)
	if !activationID.MatchString(code.ActivationId) || !activationCode.MatchString(code.ActivationCode) {
		p.Errorf("CreateActivation: %q, %q", code.ActivationId, code.ActivationCode)
	}
	return code, ecs.Activation{
		ActivationId: code.ActivationId, Description: q.Description, InstanceName: "web", InstanceCount: 100, TimeToLiveInHours: 3,
		IpAddressRange: "127.0.0.0/8", ResourceGroupId: "rg-123", CreationTime: anyTime, Tags: []ecs.Tag{{TagKey: "role", TagValue: "web"}},
	}
}

// machine is what is shown of an agent that has registered with such an activation.
func (p *play) machine(a *stage.Agent, activation string) ecs.InstanceInDescribeManagedInstances {
	p.Helper()
	return ecs.InstanceInDescribeManagedInstances{
		InstanceId: a.ID, InstanceName: a.Name, Hostname: hostName(p), MachineId: anyValue, OsType: "linux", OsVersion: systemName(p),
		AgentVersion: "e2e", IntranetIp: "127.0.0.1", InternetIp: "127.0.0.1", ActivationId: activation, RegistrationTime: anyTime,
		ResourceGroupId: "rg-123", Connected: true,
	}
}

// Machines register with an activation, are listed, renamed and leave (MI-1 to MI-8).
func TestGoSDKRegistersMachines(t *testing.T) {
	eachFormat(t, func(p *play) {
		code, want := p.createActivation()
		check(p, "a new activation", p.activation(code.ActivationId), want)
		first := p.Server.Register("", code.ActivationId, code.ActivationCode)
		second := p.Server.Register("named", code.ActivationId, code.ActivationCode)
		if first.Name != "web-001" || second.Name != "named" { // MI-4
			p.Errorf("names = %q, %q, want web-001, named", first.Name, second.Name)
		}
		want.RegisteredCount = 2
		check(p, "an activation with two uses", p.activation(code.ActivationId), want)

		first.Start()
		second.Start()
		there := []ecs.InstanceInDescribeManagedInstances{p.machine(second, code.ActivationId), p.machine(first, code.ActivationId)} // PG-1
		check(p, "machines that run", p.machines(code.ActivationId), there)
		p.checkStatus(first)
		p.rename(first)
		there[1].InstanceName, there[1].InvocationCount, there[1].LastInvokedTime = "renamed", 1, anyTime
		check(p, "machines after a rename", p.machines(code.ActivationId), there)

		p.disable(code, want)
		p.deregister(first, there[1], code.ActivationId)
		want.Disabled, want.DeregisteredCount = true, 1
		check(p, "an activation one machine of which left", p.activation(code.ActivationId), want)
		check(p, "machines that are left", p.machines(code.ActivationId), there[:1])
	})
}

// checkStatus checks what is said of an agent that runs (HB-1 to HB-3).
func (p *play) checkStatus(running *stage.Agent) {
	p.Helper()
	check(p, "status of the running agent", p.statusOf(running), []ecs.InstanceCloudAssistantStatus{{
		InstanceId: running.ID, CloudAssistantStatus: "true", CloudAssistantVersion: "e2e", OSType: "Linux", LastHeartbeatTime: anyTime,
	}})
	run := ask(p, p.SDK.RunCommand, newRun("true", running))
	p.ended(run.InvokeId)
	check(p, "status after a run", p.statusOf(running), []ecs.InstanceCloudAssistantStatus{{
		InstanceId: running.ID, CloudAssistantStatus: "true", CloudAssistantVersion: "e2e", OSType: "Linux", LastHeartbeatTime: anyTime,
		InvocationCount: 1, LastInvokedTime: anyTime,
	}})
}

func (p *play) rename(a *stage.Agent) {
	p.Helper()
	q := ecs.CreateModifyManagedInstanceRequest()
	q.InstanceId, q.InstanceName = a.ID, "renamed"
	check(p, "ModifyManagedInstance", ask(p, p.SDK.ModifyManagedInstance, q), &ecs.ModifyManagedInstanceResponse{
		Instance: ecs.Instance{InstanceId: a.ID, InstanceName: "renamed"},
	})
}

// disable disables an activation, with which no machine can register from then on (MI-3).
func (p *play) disable(code *ecs.CreateActivationResponse, shown ecs.Activation) {
	p.Helper()
	q := ecs.CreateDisableActivationRequest()
	q.ActivationId = code.ActivationId
	shown.Disabled, shown.ResourceGroupId, shown.Tags = true, "", nil
	for range 2 {
		check(p, "DisableActivation", ask(p, p.SDK.DisableActivation, q), &ecs.DisableActivationResponse{Activation: shown})
	}
	if r, err := p.Server.TryRegister("late", code.ActivationId, code.ActivationCode); err == nil || r.Code != 2 {
		p.Errorf("register with a disabled activation: exit code %d, %v", r.Code, err)
	}
	used := ecs.CreateDeleteActivationRequest()
	used.ActivationId = code.ActivationId
	refused(p, p.SDK.DeleteActivation, used, 403, "ActivationId.InUse")
}

// deregister has a machine leave: its agent is cut off and ends for good (MI-7). The
// machine is shown as it was.
func (p *play) deregister(a *stage.Agent, was ecs.InstanceInDescribeManagedInstances, activation string) {
	p.Helper()
	run := ask(p, p.SDK.RunCommand, newRun("echo begun; exec sleep 100", a))
	p.awaitOutputs(run.InvokeId, "begun\n")
	q := ecs.CreateDeregisterManagedInstanceRequest()
	q.InstanceId = a.ID
	check(p, "DeregisterManagedInstance", ask(p, p.SDK.DeregisterManagedInstance, q), &ecs.DeregisterManagedInstanceResponse{
		Instance: ecs.Instance{
			InstanceId: a.ID, InstanceName: "renamed", Hostname: was.Hostname, MachineId: anyValue, OsType: was.OsType, OsVersion: was.OsVersion,
			AgentVersion: was.AgentVersion, IntranetIp: was.IntranetIp, InternetIp: was.InternetIp, ActivationId: activation,
			RegistrationTime: anyTime, ResourceGroupId: was.ResourceGroupId, InvocationCount: 1, LastInvokedTime: anyTime,
		},
	})
	refused(p, p.SDK.DeregisterManagedInstance, q, 404, "InvalidInstance.NotFound")
	refused(p, p.SDK.RunCommand, newRun("true", a), 404, "InvalidInstance.NotFound")
	if code := a.Wait(); code != 3 {
		p.Errorf("exit code of an agent that was deregistered = %d, want 3", code)
	}
	want := once(run.InvokeId, run.CommandId, "echo begun; exec sleep 100")
	want.InvocationStatus, want.InvokeStatus = "Failed", "Failed"
	task := on(a, "begun\n")
	task.InvocationStatus, task.InstanceInvokeStatus, task.ErrorCode = "Error", "Failed", "InstanceDeregistered"
	task.ErrorInfo = "The specified managed instance was deregistered"
	p.checkEnded(p.ended(run.InvokeId), want, task)
}

// An agent that is not heard of any more counts as away after 2 minutes, which are 2 s here (HB-1, HB-2).
func TestGoSDKSeesWhoIsAway(t *testing.T) {
	t.Parallel()
	s := stage.Open(t, stage.Options{Scale: 60})
	p := &play{t, s, goSDK(t, s.Endpoint, s.KeyID, s.Secret), "JSON"}
	a := s.Agent("one")
	a.Stop()
	want := ecs.InstanceCloudAssistantStatus{InstanceId: a.ID, CloudAssistantStatus: "false", OSType: "Linux", LastHeartbeatTime: anyTime}
	stage.Await(t, stage.Patience, "the agent is away", func() error {
		if got := p.statusOf(a)[0]; got.CloudAssistantStatus != "false" {
			return fmt.Errorf("status %+v", got)
		}
		return nil
	})
	check(t, "status", p.statusOf(a)[0], want)
	q := ecs.CreateDescribeManagedInstancesRequest()
	q.InstanceId = &[]string{a.ID}
	if m := ask(p, p.SDK.DescribeManagedInstances, q).Instances; len(m) != 1 || m[0].Connected || m[0].AgentVersion != "e2e" {
		t.Errorf("machine: %+v", m)
	}
	p.checkAborted(a)
	waiting := newRun("echo late", a)
	waiting.QueryParams["DeliveryTimeout"] = "600" // DLV-1, an extension of ours
	run := ask(p, p.SDK.RunCommand, waiting)
	if v := p.invocation(run.InvokeId); v.InvocationStatus != "Pending" || v.InvokeStatus != "Running" {
		t.Errorf("run that waits for the machine: %+v", v)
	}
	a.Start()
	late := once(run.InvokeId, run.CommandId, "echo late")
	late.InvocationStatus, late.InvokeStatus = "Success", "Finished"
	p.checkEnded(p.ended(run.InvokeId), late, on(a, "late\n"))
}

// checkAborted runs a command on a machine that is away, which is aborted at once (T3).
func (p *play) checkAborted(a *stage.Agent) {
	p.Helper()
	run := ask(p, p.SDK.RunCommand, newRun("echo never", a))
	want := once(run.InvokeId, run.CommandId, "echo never")
	want.InvocationStatus, want.InvokeStatus = "Failed", "Failed"
	task := on(a, "")
	task.InvocationStatus, task.InstanceInvokeStatus, task.Repeats, task.StartTime = "Aborted", "Failed", 0, ""
	task.ErrorCode, task.ErrorInfo = "InstanceNotRunning", "The specified instance was not running during task execution"
	want.InvokeInstances.InvokeInstance = []ecs.InvokeInstance{task}
	check(p, "run on a machine that is away", p.invocation(run.InvokeId), want)
	check(p, "its result", p.results(run.InvokeId), []ecs.InvocationResult{resultOf(want, task)})
}

// An activation that nobody has used can be deleted; then it is gone (MI-3).
func TestGoSDKDeletesActivation(t *testing.T) {
	eachFormat(t, func(p *play) {
		code, shown := p.createActivation()
		shown.ResourceGroupId, shown.Tags = "", nil
		q := ecs.CreateDeleteActivationRequest()
		q.ActivationId = code.ActivationId
		check(p, "DeleteActivation", ask(p, p.SDK.DeleteActivation, q), &ecs.DeleteActivationResponse{Activation: shown})
		refused(p, p.SDK.DeleteActivation, q, 404, "ActivationId.NotFound")
		off := ecs.CreateDisableActivationRequest()
		off.ActivationId = code.ActivationId
		refused(p, p.SDK.DisableActivation, off, 404, "ActivationId.NotFound")
		all := ask(p, p.SDK.DescribeActivations, ecs.CreateDescribeActivationsRequest())
		check(p, "activations that are left", all, &ecs.DescribeActivationsResponse{
			TotalCount: 1, PageNumber: 1, PageSize: 10,
			ActivationList: []ecs.Activation{{
				ActivationId: anyValue, Description: "made by orderly server", InstanceCount: 10, TimeToLiveInHours: 4, CreationTime: anyTime,
			}},
		})
	})
}

func TestGoSDKListsRegions(t *testing.T) {
	eachFormat(t, func(p *play) {
		check(p, "DescribeRegions", ask(p, p.SDK.DescribeRegions, ecs.CreateDescribeRegionsRequest()), &ecs.DescribeRegionsResponse{
			Regions: ecs.Regions{Region: []ecs.Region{
				{RegionId: stage.Region, LocalName: stage.Region, RegionEndpoint: p.Server.Host(), Status: "available"},
			}},
		})
	})
}
