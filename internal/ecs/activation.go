package ecs

import (
	"context"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
)

type createActivationRequest struct {
	RegionId          string `rpc:",required"`
	Description       string
	InstanceName      string
	InstanceCount     *int64
	IpAddressRange    string
	TimeToLiveInHours *int64
	ResourceGroupId   string
	Tag               []rpc.Tag
	ClientToken       string
}

type createActivationResponse struct {
	ActivationId   string
	ActivationCode string
}

func (d *Dialect) createActivation(ctx context.Context, c orderly.Caller, req createActivationRequest) (createActivationResponse, error) {
	a, err := req.activation()
	if err != nil {
		return createActivationResponse{}, err
	}
	id, code, err := d.fleet.CreateActivation(ctx, c, a, repetition("CreateActivation", req.ClientToken, req))
	return createActivationResponse{ActivationId: id, ActivationCode: code}, err
}

// Beyond these numbers no limit goes, and a Duration holds that many hours.
const (
	maxCount = 1 << 30
	maxHours = 1 << 21
)

// activation is what is asked for. Its numbers are 0 when they are absent; one given as 0 is out
// of range (rule MI-1).
func (r *createActivationRequest) activation() (orderly.Activation, error) {
	a := orderly.Activation{
		Region: r.RegionId, Description: r.Description, NamePrefix: r.InstanceName, AddressRange: r.IpAddressRange,
		ResourceGroup: r.ResourceGroupId, Tags: rpc.Tags(r.Tag),
	}
	if n := r.TimeToLiveInHours; n != nil {
		if *n < 1 || *n > maxHours {
			return a, orderly.ActivationTTLInvalid
		}
		a.TTL = time.Duration(*n) * time.Hour
	}
	if n := r.InstanceCount; n != nil {
		if *n < 1 || *n > maxCount {
			return a, orderly.ActivationCountInvalid
		}
		a.Count = int(*n)
	}
	if err := rpc.CheckText("Description", r.Description); err != nil {
		return a, err
	}
	return a, orderly.CheckResourceGroup(r.ResourceGroupId)
}

type describeActivationsRequest struct {
	RegionId        string `rpc:",required"`
	ActivationId    string
	InstanceName    string
	ResourceGroupId string
	Tag             []rpc.Tag
	rpc.Paging
}

type describeActivationsResponse struct {
	rpc.Paged
	ActivationList []listedActivation
}

// An activation is what all operations show of one.
type activation struct {
	ActivationId      string
	Description       string
	InstanceName      string
	InstanceCount     int
	IpAddressRange    string
	TimeToLiveInHours int64
	RegisteredCount   int
	DeregisteredCount int
	CreationTime      string
}

type disabledActivation struct {
	activation
	Disabled bool
}

type listedActivation struct {
	disabledActivation
	ResourceGroupId string
	Tags            []shownTag
}

func showActivation(a orderly.Activation) activation {
	return activation{
		ActivationId: a.ID, Description: a.Description, InstanceName: a.NamePrefix, InstanceCount: a.Count,
		IpAddressRange: a.AddressRange, TimeToLiveInHours: int64(a.TTL / time.Hour), RegisteredCount: a.Registered,
		DeregisteredCount: a.Deregistered, CreationTime: rpc.Timestamp(a.Created),
	}
}

func (d *Dialect) describeActivations(ctx context.Context, c orderly.Caller, req describeActivationsRequest) (describeActivationsResponse, error) {
	var resp describeActivationsResponse
	f := store.ActivationFilter{
		Region: req.RegionId, ID: req.ActivationId, NamePrefix: req.InstanceName, ResourceGroup: req.ResourceGroupId, Tags: rpc.Tags(req.Tag),
	}
	if err := checkFilter(req.InstanceName, f.Tags); err != nil {
		return resp, err
	}
	page, err := d.cursor(req.Paging, rpc.Scope{Operation: "DescribeActivations", Account: c.Account, Region: req.RegionId, Filter: f})
	if err != nil {
		return resp, err
	}
	list, total, err := d.fleet.Activations(ctx, c, f, page.Rows())
	if err != nil {
		return resp, err
	}
	list, resp.Paged = rpc.Cut(page, list, total, func(a orderly.Activation) store.Place { return store.Place{Seq: a.Seq} })
	for _, a := range list {
		resp.ActivationList = append(resp.ActivationList, listedActivation{
			disabledActivation{showActivation(a), a.Disabled}, a.ResourceGroup, tagsShown(a.Tags),
		})
	}
	return resp, nil
}

// checkFilter finds what is wrong with a name and tags to filter by.
func checkFilter(name string, tags []orderly.Tag) error {
	if err := rpc.CheckText("InstanceName", name); err != nil {
		return err
	}
	return orderly.CheckTags(tags)
}

// An activationRequest names one activation.
type activationRequest struct {
	RegionId     string `rpc:",required"`
	ActivationId string `rpc:",required"`
}

type disableActivationResponse struct{ Activation disabledActivation }

func (d *Dialect) disableActivation(ctx context.Context, c orderly.Caller, req activationRequest) (disableActivationResponse, error) {
	a, err := d.fleet.DisableActivation(ctx, c, req.RegionId, req.ActivationId)
	return disableActivationResponse{disabledActivation{showActivation(a), a.Disabled}}, err
}

type deleteActivationResponse struct{ Activation activation }

func (d *Dialect) deleteActivation(ctx context.Context, c orderly.Caller, req activationRequest) (deleteActivationResponse, error) {
	a, err := d.fleet.DeleteActivation(ctx, c, req.RegionId, req.ActivationId)
	return deleteActivationResponse{showActivation(a)}, err
}
