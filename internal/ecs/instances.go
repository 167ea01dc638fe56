package ecs

import (
	"context"
	"slices"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
)

// describeInstancesRequest asks for registered machines as instances. What it knows of them and may
// filter by is what a machine without a cloud around it has.
type describeInstancesRequest struct {
	RegionId                                                    string `rpc:",required"`
	InstanceIds                                                 string // a JSON list, as the addresses are
	PrivateIpAddresses, InnerIpAddresses                        string
	PublicIpAddresses, EipAddresses                             string
	Ipv6Address                                                 []string
	InstanceName                                                string // may begin or end with *
	Status                                                      string
	InstanceNetworkType                                         string
	ResourceGroupId                                             string
	Tag                                                         []rpc.Tag
	Filter                                                      []keyedFilter
	DryRun                                                      bool
	HttpEndpoint, HttpTokens                                    string // would be filters of how machines reach their metadata: without effect
	HttpPutResponseHopLimit                                     *int64
	AdditionalAttributes                                        []string // names fields that are not in the answer
	NeedSaleCycle                                               *bool
	InstanceChargeType, InternetChargeType, LockReason          string
	VpcId, VSwitchId, ZoneId, SecurityGroupId, ImageId          string
	InstanceType, InstanceTypeFamily, KeyPairName, HpcClusterId string
	RdmaIpAddresses                                             string
	DeviceAvailable, IoOptimized                                *bool
	rpc.Paging
}

type keyedFilter struct{ Key, Value string }

type describeInstancesResponse struct {
	rpc.Paged
	Instances wrappedMachines
}

type wrappedMachines struct{ Instance []shownInstance }

// A shownInstance is a machine in the words of an instance. What a machine has not, is there and empty.
type shownInstance struct {
	InstanceId      string
	InstanceName    string
	Description     string
	Status          string
	RegionId        string
	ZoneId          string
	HostName        string
	OSType          string
	OSName          string
	OSNameEn        string
	ImageId         string
	InstanceType    string
	SerialNumber    string
	Cpu             int
	Memory          int
	CreationTime    string
	StartTime       string
	ResourceGroupId string
	InnerIpAddress  wrappedAddresses
	PublicIpAddress wrappedAddresses
	EipAddress      eipAddress
	VpcAttributes   vpcAttributes
	Tags            wrappedTags
}

type wrappedAddresses struct{ IpAddress []string }

type eipAddress struct {
	AllocationId         string
	IpAddress            string
	Bandwidth            int
	InternetChargeType   string
	IsSupportUnassociate bool
}

type vpcAttributes struct {
	VpcId            string
	VSwitchId        string
	NatIpAddress     string
	PrivateIpAddress wrappedAddresses
}

func (d *Dialect) describeInstances(ctx context.Context, c orderly.Caller, req describeInstancesRequest) (describeInstancesResponse, error) {
	var resp describeInstancesResponse
	f, some, err := req.filter()
	if err != nil {
		return resp, err
	}
	page, err := d.tokens.Cursor(req.Paging, rpc.Scope{Operation: "DescribeInstances", Account: c.Account, Region: req.RegionId, Filter: []any{f, some}}, largeSize)
	if err != nil {
		return resp, err
	}
	if req.DryRun {
		return resp, &rpc.Error{Status: badRequest, Code: "DryRunOperation", Message: "The request is valid. Nothing was done, as DryRun asks for."}
	}
	var list []orderly.Instance
	var total int
	if some {
		if list, total, err = d.fleet.Instances(ctx, c, f, page.Rows()); err != nil {
			return resp, err
		}
	}
	list, resp.Paged = rpc.Cut(page, list, total, placeOfInstance)
	for _, i := range list {
		resp.Instances.Instance = append(resp.Instances.Instance, d.showAsInstance(i))
	}
	return resp, nil
}

func (d *Dialect) showAsInstance(i orderly.Instance) shownInstance {
	return shownInstance{
		InstanceId: i.ID, InstanceName: i.Name, Status: string(d.fleet.Status(i)), RegionId: i.Region, HostName: i.Hostname,
		OSType: string(i.OS), OSName: i.OSVersion, OSNameEn: i.OSVersion, CreationTime: rpc.Timestamp(i.Registered), ResourceGroupId: i.ResourceGroup,
		PublicIpAddress: addresses(i.InternetIP), VpcAttributes: vpcAttributes{PrivateIpAddress: addresses(i.IntranetIP)},
		Tags: wrappedTags{tagsShown(i.Tags)},
	}
}

func addresses(one string) (w wrappedAddresses) {
	if one != "" {
		w.IpAddress = []string{one}
	}
	return w
}

// maxInstanceIDs is how many instances a request may name, and how many addresses.
const maxInstanceIDs = 100

// filter is which machines are asked for; some is false when no machine can be one of them.
func (r *describeInstancesRequest) filter() (f store.InstanceFilter, some bool, err error) {
	f = store.InstanceFilter{
		Region: r.RegionId, NameLike: r.InstanceName, Status: orderly.InstanceStatus(r.Status), ResourceGroup: r.ResourceGroupId,
		Addresses: r.Ipv6Address, Tags: rpc.Tags(r.Tag),
	}
	some = true
	for _, l := range []struct {
		parameter, text string
		list            *[]string
	}{
		{"InstanceIds", r.InstanceIds, &f.IDs}, {"PrivateIpAddresses", r.PrivateIpAddresses, &f.Private}, {"PublicIpAddresses", r.PublicIpAddresses, &f.Public},
		{"InnerIpAddresses", r.InnerIpAddresses, nil}, {"EipAddresses", r.EipAddresses, nil},
	} {
		given, err := listOf(l.parameter, l.text)
		if err != nil {
			return f, false, err
		}
		if l.list != nil {
			*l.list = given
		}
		some = some && (l.text == "" || l.list != nil && len(given) > 0) // an empty list selects nothing
	}
	if err := r.check(&f); err != nil {
		return f, false, err
	}
	return f, some && !r.foreign(), nil
}

// listOf reads a list of instances, or of their addresses.
func listOf(parameter, text string) ([]string, error) {
	list, err := rpc.TextList(parameter, text)
	switch {
	case err != nil || len(list) <= maxInstanceIDs:
		return list, err
	case parameter == "InstanceIds":
		return nil, orderly.TargetsTooMany
	}
	return nil, rpc.Invalid(parameter, "The specified %s has more than 100 entries.")
}

// instanceStatuses are the published ones; the first and the fourth never occur.
var instanceStatuses = []string{"", "Pending", "Running", "Starting", "Stopping", "Stopped"}

// instanceValues are the values of parameters that have no code of their own for others.
var instanceValues = map[string][]string{
	"InstanceChargeType":  {"", "PostPaid", "PrePaid"},
	"InternetChargeType":  {"", "PayByBandwidth", "PayByTraffic"},
	"InstanceNetworkType": {"", "vpc", "classic"},
	"LockReason":          {"", "financial", "security", "Recycling", "dedicatedhostfinancial", "refunded"},
	"HttpEndpoint":        {"", "enabled", "disabled"},
	"HttpTokens":          {"", "optional", "required"},
}

func (r *describeInstancesRequest) check(f *store.InstanceFilter) error {
	if !slices.Contains(instanceStatuses, r.Status) {
		return orderly.InstanceStatusUnknown
	}
	for _, p := range [][2]string{
		{"InstanceChargeType", r.InstanceChargeType}, {"InternetChargeType", r.InternetChargeType}, {"InstanceNetworkType", r.InstanceNetworkType},
		{"LockReason", r.LockReason}, {"HttpEndpoint", r.HttpEndpoint}, {"HttpTokens", r.HttpTokens},
	} {
		if !slices.Contains(instanceValues[p[0]], p[1]) {
			return rpc.Invalid(p[0], "The specified parameter %s is not valid.")
		}
	}
	if err := rpc.CheckText("InstanceName", r.InstanceName); err != nil {
		return err
	}
	for _, k := range r.Filter {
		if err := k.apply(f); err != nil {
			return err
		}
	}
	if len(f.Tags) > maxInstanceTags {
		return orderly.TagPatternsMany
	}
	return orderly.CheckResourceTags(f.Tags)
}

// maxInstanceTags is how many tags instances can be asked for by.
const maxInstanceTags = 20

// foreign reports whether something is asked for that no machine has: it is in no one's cloud, and
// never expires.
func (r *describeInstancesRequest) foreign() bool {
	return r.InstanceNetworkType == "classic" || r.DeviceAvailable != nil || r.IoOptimized != nil ||
		slices.ContainsFunc(r.Filter, keyedFilter.expires) ||
		slices.ContainsFunc([]string{
			r.InstanceChargeType, r.InternetChargeType, r.LockReason, r.VpcId, r.VSwitchId, r.ZoneId, r.SecurityGroupId, r.ImageId,
			r.InstanceType, r.InstanceTypeFamily, r.KeyPairName, r.HpcClusterId, r.RdmaIpAddresses,
		}, func(s string) bool { return s != "" })
}

func (k keyedFilter) expires() bool { return k.Key == "ExpiredStartTime" || k.Key == "ExpiredEndTime" }

// apply limits when machines were registered.
func (k keyedFilter) apply(f *store.InstanceFilter) error {
	end, known := map[string]*int64{"CreationStartTime": &f.Since, "CreationEndTime": &f.Until, "ExpiredStartTime": nil, "ExpiredEndTime": nil}[k.Key]
	if !known {
		return orderly.FilterKeyUnknown
	}
	at, err := time.Parse("2006-01-02T15:04Z", k.Value)
	if err != nil {
		at, err = time.Parse("2006-01-02T15:04:05Z", k.Value)
	}
	if err != nil {
		return rpc.Invalid("Filter", "The specified %s has a value that is not a time.")
	}
	if end != nil {
		*end = at.UnixMilli()
	}
	return nil
}

// largeSize is the largest page of instances; that of other lists is half as large.
const largeSize = 100

type describeInstanceStatusRequest struct {
	RegionId             string `rpc:",required"`
	InstanceId           []string
	ZoneId, ClusterId    string // of which no machine has one
	PageNumber, PageSize string
}

type describeInstanceStatusResponse struct {
	TotalCount       int
	PageNumber       int
	PageSize         int
	InstanceStatuses wrappedInstanceStatuses
}

type wrappedInstanceStatuses struct{ InstanceStatus []shownInstanceStatus }

type shownInstanceStatus struct{ InstanceId, Status string }

func (d *Dialect) describeInstanceStatus(ctx context.Context, c orderly.Caller, req describeInstanceStatusRequest) (describeInstanceStatusResponse, error) {
	var resp describeInstanceStatusResponse
	if len(req.InstanceId) > maxInstanceIDs {
		return resp, orderly.TargetsTooMany
	}
	page, err := d.cursor(rpc.Paging{PageNumber: req.PageNumber, PageSize: req.PageSize}, rpc.Scope{})
	if err != nil {
		return resp, err
	}
	var list []orderly.Instance
	var total int
	if req.ZoneId == "" && req.ClusterId == "" {
		if list, total, err = d.fleet.Instances(ctx, c, store.InstanceFilter{Region: req.RegionId, IDs: req.InstanceId}, page.Rows()); err != nil {
			return resp, err
		}
	}
	list, at := rpc.Cut(page, list, total, placeOfInstance)
	resp.TotalCount, resp.PageNumber, resp.PageSize = at.TotalCount, at.PageNumber, at.PageSize
	for _, i := range list {
		resp.InstanceStatuses.InstanceStatus = append(resp.InstanceStatuses.InstanceStatus, shownInstanceStatus{i.ID, string(d.fleet.Status(i))})
	}
	return resp, nil
}
