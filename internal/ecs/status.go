package ecs

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
)

type describeCloudAssistantStatusRequest struct {
	RegionId   string `rpc:",required"`
	InstanceId []string
	OSType     string
	rpc.Paging
}

type describeCloudAssistantStatusResponse struct {
	rpc.Paged
	InstanceCloudAssistantStatusSet wrappedStatuses
}

type wrappedStatuses struct{ InstanceCloudAssistantStatus []shownStatus }

type shownStatus struct {
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

// maxAsked is how many instances one request may name. No text states a number.
const maxAsked = 100

// osTypes are the families in the spelling of this operation.
var osTypes = map[orderly.OSType]string{orderly.Linux: "Linux", orderly.Windows: "Windows", orderly.FreeBSD: "FreeBSD"}

func (d *Dialect) describeCloudAssistantStatus(ctx context.Context, c orderly.Caller, req describeCloudAssistantStatusRequest) (describeCloudAssistantStatusResponse, error) {
	var resp describeCloudAssistantStatusResponse
	var list []orderly.Instance
	var err error
	if len(req.InstanceId) > 0 {
		list, resp.Paged, err = d.statusOf(ctx, c, req)
	} else {
		list, resp.Paged, err = d.statusPage(ctx, c, req)
	}
	for _, i := range list {
		shown := &resp.InstanceCloudAssistantStatusSet
		shown.InstanceCloudAssistantStatus = append(shown.InstanceCloudAssistantStatus, d.showStatus(i))
	}
	return resp, err
}

// statusOf finds the instances that a request names, all of them on one page (rule PG-8). One that
// does not exist is an error (rule HB-4).
func (d *Dialect) statusOf(ctx context.Context, c orderly.Caller, req describeCloudAssistantStatusRequest) ([]orderly.Instance, rpc.Paged, error) {
	ids := slices.Compact(slices.Sorted(slices.Values(req.InstanceId)))
	if len(ids) > maxAsked {
		return nil, rpc.Paged{}, orderly.TargetsTooMany
	}
	list, _, err := d.fleet.Instances(ctx, c, store.InstanceFilter{Region: req.RegionId, IDs: ids}, store.Page{Limit: len(ids)})
	if err == nil && len(list) < len(ids) {
		err = orderly.InstanceUnknown
	}
	if err != nil {
		return nil, rpc.Paged{}, err
	}
	if req.OSType != "" {
		list = slices.DeleteFunc(list, func(i orderly.Instance) bool { return i.OS != osType(req.OSType) })
	}
	return list, rpc.Paged{TotalCount: len(list), PageNumber: 1, PageSize: len(ids)}, nil
}

func (d *Dialect) statusPage(ctx context.Context, c orderly.Caller, req describeCloudAssistantStatusRequest) ([]orderly.Instance, rpc.Paged, error) {
	f := store.InstanceFilter{Region: req.RegionId, OS: string(osType(req.OSType))}
	page, err := d.cursor(req.Paging, rpc.Scope{Operation: "DescribeCloudAssistantStatus", Account: c.Account, Region: req.RegionId, Filter: f})
	if err != nil {
		return nil, rpc.Paged{}, err
	}
	list, total, err := d.fleet.Instances(ctx, c, f, page.Rows())
	if err != nil {
		return nil, rpc.Paged{}, err
	}
	list, where := rpc.Cut(page, list, total, placeOfInstance)
	return list, where, nil
}

// osType is the family that a request names; a name that is none of them selects nothing.
func osType(name string) orderly.OSType {
	for family, spelled := range osTypes {
		if strings.EqualFold(spelled, name) {
			return family
		}
	}
	return orderly.OSType(name)
}

func (d *Dialect) showStatus(i orderly.Instance) shownStatus {
	connected := d.fleet.Connected(i)
	s := shownStatus{
		InstanceId: i.ID, CloudAssistantStatus: strconv.FormatBool(connected), OSType: osTypes[i.OS],
		ActiveTaskCount: i.Active, InvocationCount: i.Invocations,
		LastHeartbeatTime: rpc.Timestamp(i.Presence.Heartbeat), LastInvokedTime: rpc.Timestamp(i.LastInvoked),
	}
	if connected { // HB-2
		s.CloudAssistantVersion = i.AgentVersion
	}
	return s
}
