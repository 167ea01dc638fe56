package swas

import (
	"context"
	"strconv"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
)

type installCloudAssistantRequest struct {
	RegionId    string `rpc:",required"`
	InstanceIds string `rpc:",required"` // a JSON list
}

// installCloudAssistant has nothing to do: a machine became one of the fleet by its agent.
func (d *Dialect) installCloudAssistant(ctx context.Context, c orderly.Caller, req installCloudAssistantRequest) (emptyResponse, error) {
	ids, err := instanceIDs(req.InstanceIds, req.RegionId, maxTargets)
	if err == nil && len(ids) == 0 {
		err = orderly.TargetMissing
	}
	if err != nil {
		return emptyResponse{}, err
	}
	return emptyResponse{}, d.exist(ctx, c, req.RegionId, ids)
}

type describeCloudAssistantStatusRequest struct {
	RegionId    string `rpc:",required"`
	InstanceIds string // a JSON list
	paging
}

type describeCloudAssistantStatusResponse struct {
	paged
	CloudAssistantStatus []assistantStatus
}

type assistantStatus struct {
	InstanceId string
	Status     bool
}

func (d *Dialect) describeCloudAssistantStatus(ctx context.Context, c orderly.Caller, req describeCloudAssistantStatusRequest) (resp describeCloudAssistantStatusResponse, err error) {
	list, at, err := d.assistants(ctx, c, req)
	resp.paged = at
	for _, i := range list {
		resp.CloudAssistantStatus = append(resp.CloudAssistantStatus, assistantStatus{orderly.Alias(i.ID), d.fleet.Connected(i)})
	}
	return resp, err
}

type describeCloudAssistantAttributesRequest struct {
	RegionId    string `rpc:",required"`
	InstanceIds string `rpc:",required"` // a JSON list
	paging
}

type describeCloudAssistantAttributesResponse struct {
	paged
	CloudAssistant []assistant
}

type assistant struct {
	InstanceId            string
	CloudAssistantStatus  string // a text here (HB-1)
	CloudAssistantVersion string
	OSType                string
	ActiveTaskCount       int
	InvocationCount       int
	LastHeartbeatTime     string
	LastInvokedTime       string
	SupportSessionManager bool
}

func (d *Dialect) describeCloudAssistantAttributes(ctx context.Context, c orderly.Caller, req describeCloudAssistantAttributesRequest) (resp describeCloudAssistantAttributesResponse, err error) {
	list, at, err := d.assistants(ctx, c, describeCloudAssistantStatusRequest(req))
	resp.paged = at
	for _, i := range list {
		resp.CloudAssistant = append(resp.CloudAssistant, d.showAssistant(i))
	}
	return resp, err
}

// osTypes are the families in the spelling of this operation.
var osTypes = map[orderly.OSType]string{orderly.Linux: "Linux", orderly.Windows: "Windows", orderly.FreeBSD: "FreeBSD"}

func (d *Dialect) showAssistant(i orderly.Instance) assistant {
	connected := d.fleet.Connected(i)
	a := assistant{
		InstanceId: orderly.Alias(i.ID), CloudAssistantStatus: strconv.FormatBool(connected), OSType: osTypes[i.OS],
		ActiveTaskCount: i.Active, InvocationCount: i.Invocations,
		LastHeartbeatTime: rpc.Timestamp(i.Presence.Heartbeat), LastInvokedTime: rpc.Timestamp(i.LastInvoked),
	}
	if connected { // HB-2
		a.CloudAssistantVersion = i.AgentVersion
	}
	return a
}

// assistants finds a page of the instances that a request names, which must exist (rule HB-4), or of
// all when it names none.
func (d *Dialect) assistants(ctx context.Context, c orderly.Caller, req describeCloudAssistantStatusRequest) ([]orderly.Instance, paged, error) {
	ids, err := instanceIDs(req.InstanceIds, req.RegionId, maxListed)
	if err != nil {
		return nil, paged{}, err
	}
	page, err := d.cursor(req.paging, rpc.MaxSize)
	if err != nil {
		return nil, paged{}, err
	}
	if err := d.exist(ctx, c, req.RegionId, ids); err != nil {
		return nil, paged{}, err
	}
	return d.instances(ctx, c, store.InstanceFilter{Region: req.RegionId, IDs: ids}, page, req.InstanceIds == "" || len(ids) > 0)
}
