package swas

import (
	"context"
	"slices"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
)

// How many instances a request for a list may name, and how many a page of ListInstances holds.
const (
	maxListed = 100
	largePage = 100
)

// instanceIDs reads which instances a JSON list names, at most limit.
func instanceIDs(text, region string, limit int) ([]string, error) {
	list, err := rpc.TextList("InstanceIds", text)
	if err == nil && len(list) > limit {
		err = orderly.TargetsTooMany
	}
	for i := range list {
		list[i] = orderly.OfAlias(list[i], region)
	}
	return list, err
}

// delivery is a DeliveryTimeout as the engine takes it (rule DLV-1).
func delivery(n *int64) *time.Duration {
	if n == nil {
		return nil
	}
	t := rpc.Seconds(*n)
	return &t
}

// exist finds whether all of some instances are there.
func (d *Dialect) exist(ctx context.Context, c orderly.Caller, region string, ids []string) error {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	if len(ids) == 0 {
		return nil
	}
	list, _, err := d.fleet.Instances(ctx, c, store.InstanceFilter{Region: region, IDs: ids}, store.Page{Limit: len(ids)})
	if err == nil && len(list) < len(ids) {
		err = orderly.InstanceUnknown
	}
	return err
}

// instances finds a page of instances; some is false when there can be none.
func (d *Dialect) instances(ctx context.Context, c orderly.Caller, f store.InstanceFilter, page rpc.Cursor, some bool) (list []orderly.Instance, at paged, err error) {
	total := 0
	if some {
		list, total, err = d.fleet.Instances(ctx, c, f, page.Rows())
	}
	list, at = cut(page, list, total)
	return list, at, err
}

// chargeType is how all machines are as if paid for: in advance.
const chargeType = "PrePaid"

type listInstancesRequest struct {
	RegionId          string `rpc:",required"`
	InstanceIds       string // a JSON list, as the addresses are
	PublicIpAddresses string
	InstanceName      string // may begin or end with *
	Status            string
	ResourceGroupId   string
	ChargeType        string
	PlanType          string // of which no machine has one
	Tag               []rpc.Tag
	paging
}

type listInstancesResponse struct {
	paged
	Instances []shownInstance
}

// A shownInstance is a machine in the words of a server that is rented. What a machine has not, is
// there and empty.
type shownInstance struct {
	InstanceId      string
	InstanceName    string
	Status          string
	BusinessStatus  string
	RegionId        string
	CreationTime    string
	ExpiredTime     string
	ChargeType      string
	PlanId          string
	ImageId         string
	Image           image
	InnerIpAddress  string
	PublicIpAddress string
	ResourceGroupId string
	Uuid            string
	Tags            []rpc.Tag
}

type image struct {
	ImageName    string
	ImageVersion string
	ImageType    string
	ImageIconUrl string
	ImageContact string
	OsType       string
}

func (d *Dialect) listInstances(ctx context.Context, c orderly.Caller, req listInstancesRequest) (resp listInstancesResponse, err error) {
	f, some, err := req.filter()
	if err != nil {
		return resp, err
	}
	page, err := d.cursor(req.paging, largePage)
	if err != nil {
		return resp, err
	}
	list, at, err := d.instances(ctx, c, f, page, some)
	resp.paged = at
	for _, i := range list {
		resp.Instances = append(resp.Instances, shownInstance{
			InstanceId: orderly.Alias(i.ID), InstanceName: i.Name, Status: string(d.fleet.Status(i)), BusinessStatus: "Normal", ChargeType: chargeType, RegionId: i.Region, CreationTime: rpc.Timestamp(i.Registered),
			Image: image{ImageName: i.OSVersion, OsType: osTypes[i.OS]}, InnerIpAddress: i.IntranetIP, PublicIpAddress: i.InternetIP,
			ResourceGroupId: i.ResourceGroup, Tags: tagsShown(i.Tags),
		})
	}
	return resp, err
}

// statuses are the published ones, of which machines have some only.
var statuses = []string{"", "Pending", "Starting", "Running", "Stopping", "Stopped", "Resetting", "Upgrading", "Disabled"}

// filter is which machines are asked for; some is false when no machine can be one of them.
func (r *listInstancesRequest) filter() (f store.InstanceFilter, some bool, err error) {
	f = store.InstanceFilter{
		Region: r.RegionId, NameLike: r.InstanceName, Status: orderly.InstanceStatus(r.Status), ResourceGroup: r.ResourceGroupId, Tags: rpc.Tags(r.Tag),
	}
	if f.IDs, err = instanceIDs(r.InstanceIds, r.RegionId, maxListed); err != nil {
		return f, false, err
	}
	if f.Public, err = rpc.TextList("PublicIpAddresses", r.PublicIpAddresses); err != nil {
		return f, false, err
	}
	switch {
	case len(f.Public) > maxListed:
		return f, false, rpc.Invalid("PublicIpAddresses", "The specified %s has more than 100 entries.")
	case !slices.Contains(statuses, r.Status):
		return f, false, orderly.InstanceStatusUnknown
	}
	some = (r.InstanceIds == "" || len(f.IDs) > 0) && (r.PublicIpAddresses == "" || len(f.Public) > 0) &&
		(r.ChargeType == "" || r.ChargeType == chargeType) && r.PlanType == ""
	return f, some, checkResourceTags(f.Tags)
}

type listInstanceStatusRequest struct {
	RegionId    string `rpc:",required"`
	InstanceIds string // a JSON list
	paging
}

type listInstanceStatusResponse struct {
	paged
	InstanceStatuses []instanceStatus
}

type instanceStatus struct{ InstanceId, Status string }

func (d *Dialect) listInstanceStatus(ctx context.Context, c orderly.Caller, req listInstanceStatusRequest) (resp listInstanceStatusResponse, err error) {
	ids, err := instanceIDs(req.InstanceIds, req.RegionId, maxListed)
	if err != nil {
		return resp, err
	}
	page, err := d.cursor(req.paging, rpc.MaxSize)
	if err != nil {
		return resp, err
	}
	list, at, err := d.instances(ctx, c, store.InstanceFilter{Region: req.RegionId, IDs: ids}, page, req.InstanceIds == "" || len(ids) > 0)
	resp.paged = at
	for _, i := range list {
		resp.InstanceStatuses = append(resp.InstanceStatuses, instanceStatus{orderly.Alias(i.ID), string(d.fleet.Status(i))})
	}
	return resp, err
}

type listRegionsRequest struct{ AcceptLanguage string }

type listRegionsResponse struct{ Regions []shownRegion }

type shownRegion struct {
	RegionId       string
	LocalName      string
	RegionEndpoint string
}

// languages are those of ListRegions. Every region has one name in all: its ID.
var languages = []string{"", "zh-CN", "en-US"}

func (d *Dialect) listRegions(_ context.Context, _ orderly.Caller, req listRegionsRequest) (resp listRegionsResponse, err error) {
	if !slices.Contains(languages, req.AcceptLanguage) {
		return resp, languageUnknown
	}
	for _, id := range d.engine.Regions() {
		resp.Regions = append(resp.Regions, shownRegion{id, id, d.cfg.Endpoint(id)})
	}
	return resp, nil
}
