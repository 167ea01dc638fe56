package ecs

import (
	"context"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
)

type describeManagedInstancesRequest struct {
	RegionId        string `rpc:",required"`
	InstanceId      []string
	InstanceName    string
	InstanceIp      string
	OsType          string
	ActivationId    string
	MachineId       string
	Connected       *bool
	ResourceGroupId string
	Tag             []rpc.Tag
	rpc.Paging
}

type describeManagedInstancesResponse struct {
	rpc.Paged
	Instances []listedInstance
}

// An instance is what is shown of one that may be gone already.
type instance struct {
	InstanceId       string
	InstanceName     string
	Hostname         string
	MachineId        string
	OsType           string
	OsVersion        string
	AgentVersion     string
	IntranetIp       string
	InternetIp       string
	ActivationId     string
	RegistrationTime string
	InvocationCount  int
	LastInvokedTime  string
	ResourceGroupId  string
}

type listedInstance struct {
	instance
	Connected bool
	Tags      []shownTag
}

func showInstance(i orderly.Instance) instance {
	return instance{
		InstanceId: i.ID, InstanceName: i.Name, Hostname: i.Hostname, MachineId: i.MachineID,
		OsType: string(i.OS), OsVersion: i.OSVersion, AgentVersion: i.AgentVersion,
		IntranetIp: i.IntranetIP, InternetIp: i.InternetIP, ActivationId: i.Activation, RegistrationTime: rpc.Timestamp(i.Registered),
		InvocationCount: i.Invocations, LastInvokedTime: rpc.Timestamp(i.LastInvoked), ResourceGroupId: i.ResourceGroup,
	}
}

// maxListed is how many instances a request for their list may name (rule MI-8).
const maxListed = 50

func (d *Dialect) describeManagedInstances(ctx context.Context, c orderly.Caller, req describeManagedInstancesRequest) (describeManagedInstancesResponse, error) {
	var resp describeManagedInstancesResponse
	f := store.InstanceFilter{
		Region: req.RegionId, IDs: req.InstanceId, Name: req.InstanceName, IP: req.InstanceIp, OS: req.OsType,
		Activation: req.ActivationId, MachineID: req.MachineId, Connected: req.Connected, ResourceGroup: req.ResourceGroupId,
		Tags: rpc.Tags(req.Tag),
	}
	if len(req.InstanceId) > maxListed {
		return resp, orderly.TargetsTooMany
	}
	if err := checkFilter(req.InstanceName, f.Tags); err != nil {
		return resp, err
	}
	page, err := d.cursor(req.Paging, rpc.Scope{Operation: "DescribeManagedInstances", Account: c.Account, Region: req.RegionId, Filter: f})
	if err != nil {
		return resp, err
	}
	list, total, err := d.fleet.Instances(ctx, c, f, page.Rows())
	if err != nil {
		return resp, err
	}
	list, resp.Paged = rpc.Cut(page, list, total, placeOfInstance)
	for _, i := range list {
		resp.Instances = append(resp.Instances, listedInstance{showInstance(i), d.fleet.Connected(i), tagsShown(i.Tags)})
	}
	return resp, nil
}

func placeOfInstance(i orderly.Instance) store.Place { return store.Place{Seq: i.Seq} }

type modifyManagedInstanceRequest struct {
	RegionId     string `rpc:",required"`
	InstanceId   string `rpc:",required"`
	InstanceName string `rpc:",required"`
}

type modifyManagedInstanceResponse struct{ Instance namedInstance }

type namedInstance struct {
	InstanceId   string
	InstanceName string
}

func (d *Dialect) modifyManagedInstance(ctx context.Context, c orderly.Caller, req modifyManagedInstanceRequest) (modifyManagedInstanceResponse, error) {
	err := d.fleet.Rename(ctx, c, req.RegionId, req.InstanceId, req.InstanceName)
	return modifyManagedInstanceResponse{namedInstance{req.InstanceId, req.InstanceName}}, err
}

type deregisterManagedInstanceRequest struct {
	RegionId    string `rpc:",required"`
	InstanceId  string `rpc:",required"`
	ClientToken string
}

type deregisterManagedInstanceResponse struct{ Instance instance }

func (d *Dialect) deregisterManagedInstance(ctx context.Context, c orderly.Caller, req deregisterManagedInstanceRequest) (deregisterManagedInstanceResponse, error) {
	i, err := d.fleet.Deregister(ctx, c, req.RegionId, req.InstanceId, repetition("DeregisterManagedInstance", req.ClientToken, req))
	return deregisterManagedInstanceResponse{showInstance(i)}, err
}
