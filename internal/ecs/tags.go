package ecs

import (
	"context"
	"fmt"
	"slices"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
)

// taggable are the types of resources that there are here. A registered machine is both an instance
// and a managed instance.
var taggable = map[string]store.Kind{
	"instance": store.TaggedInstance, "managedinstance": store.TaggedInstance, "command": store.TaggedCommand,
	"invocation": store.TaggedInvocation, "activation": store.TaggedActivation,
}

// untaggable are the other types that are published.
var untaggable = []string{
	"disk", "snapshot", "image", "securitygroup", "volume", "eni", "ddh", "ddhcluster", "keypair", "launchtemplate",
	"reservedinstance", "snapshotpolicy", "elasticityassurance", "capacityreservation",
}

// Limits of the operations for tags.
const (
	maxResources  = 50
	maxTagFilters = 5
	maxTagValues  = 5  // of one TagFilter
	tagsPage      = 50 // resources on a page; no text states a number
)

// resourceParameters are what the operations for tags share. None is marked as required, for here
// what is missing has codes and statuses of its own.
type resourceParameters struct {
	RegionId     string
	ResourceType string
	ResourceId   []string
}

// required refuses a request that lacks what all of these operations need.
func (p *resourceParameters) required() error {
	switch {
	case p.RegionId == "":
		return missing(notFound, "RegionId")
	case p.ResourceType == "":
		return missing(notFound, "ResourceType")
	}
	return nil
}

// changeRequired is required for a change, which is of resources that are named and of tags.
func (p *resourceParameters) changeRequired(tags bool) error {
	if err := p.required(); err != nil {
		return err
	}
	switch {
	case len(p.ResourceId) == 0:
		return missing(badRequest, "ResourceId")
	case !tags:
		return orderly.TagsMissing
	}
	return nil
}

// resources are what the parameters name.
func (p *resourceParameters) resources() (store.Resources, error) {
	r := store.Resources{Region: p.RegionId, Kind: taggable[p.ResourceType], IDs: p.ResourceId}
	switch {
	case len(p.ResourceId) > maxResources:
		return r, orderly.ResourcesTooMany
	case r.Kind != "":
		return r, nil
	case slices.Contains(untaggable, p.ResourceType):
		return r, orderly.ResourceUntaggable
	}
	return r, orderly.ResourceTypeUnknown
}

// missing refuses a request without a parameter.
func missing(status int, parameter string) error {
	return &rpc.Error{Status: status, Code: "MissingParameter." + parameter, Message: fmt.Sprintf("You must specify %s.", parameter)}
}

type tagResourcesRequest struct {
	resourceParameters
	Tag []rpc.Tag
}

func (d *Dialect) tagResources(ctx context.Context, c orderly.Caller, req tagResourcesRequest) (emptyResponse, error) {
	if err := req.changeRequired(len(req.Tag) > 0); err != nil {
		return emptyResponse{}, err
	}
	r, err := req.resources()
	if err != nil {
		return emptyResponse{}, err
	}
	return emptyResponse{}, d.fleet.Tag(ctx, c, r, rpc.Tags(req.Tag))
}

type untagResourcesRequest struct {
	resourceParameters
	TagKey []string
	All    bool // counts only without TagKey
}

func (d *Dialect) untagResources(ctx context.Context, c orderly.Caller, req untagResourcesRequest) (emptyResponse, error) {
	if err := req.changeRequired(len(req.TagKey) > 0 || req.All); err != nil {
		return emptyResponse{}, err
	}
	r, err := req.resources()
	if err != nil {
		return emptyResponse{}, err
	}
	return emptyResponse{}, d.fleet.Untag(ctx, c, r, req.TagKey)
}

type listTagResourcesRequest struct {
	resourceParameters
	Tag       []tagAsked
	TagFilter []tagFilter
	NextToken string
}

// A tagAsked is a tag to look for: without a value, which is not the empty one, any will do.
type tagAsked struct {
	Key   string
	Value *string
}

// A tagFilter is a tag to look for whose value, or whose key when there is none, may begin or end with *.
type tagFilter struct {
	TagKey    string
	TagValues []string
}

type listTagResourcesResponse struct {
	NextToken    string
	TagResources wrappedTagResources
}

type wrappedTagResources struct{ TagResource []tagResource }

type tagResource struct {
	ResourceId   string
	ResourceType string
	TagKey       string
	TagValue     string
}

func (d *Dialect) listTagResources(ctx context.Context, c orderly.Caller, req listTagResourcesRequest) (listTagResourcesResponse, error) {
	var resp listTagResourcesResponse
	f, err := req.filter()
	if err != nil {
		return resp, err
	}
	page, err := d.cursor(rpc.Paging{MaxResults: fmt.Sprint(tagsPage), NextToken: req.NextToken}, rpc.Scope{Operation: "ListTagResources", Account: c.Account, Region: req.RegionId, Filter: []any{f, req.ResourceType}})
	if err != nil {
		return resp, err
	}
	list, err := d.fleet.Tagged(ctx, c, f, page.Rows())
	if err != nil {
		return resp, err
	}
	list, at := rpc.Cut(page, list, 0, func(r store.Tagged) store.Place { return store.Place{Seq: r.Seq} })
	resp.NextToken = at.NextToken
	for _, r := range list {
		for _, g := range r.Tags {
			resp.TagResources.TagResource = append(resp.TagResources.TagResource, tagResource{r.ID, req.ResourceType, g.Key, g.Value})
		}
	}
	return resp, nil
}

func (r *listTagResourcesRequest) filter() (f store.TagFilter, err error) {
	if err := r.required(); err != nil {
		return f, err
	}
	if len(r.ResourceId)+len(r.Tag)+len(r.TagFilter) == 0 {
		return f, orderly.TagsMissing
	}
	if f.Patterns, err = r.patterns(); err != nil {
		return f, err
	}
	f.Resources, err = r.resources()
	return f, err
}

// patterns are the tags to look for, exact or not.
func (r *listTagResourcesRequest) patterns() ([]store.TagPattern, error) {
	if len(r.TagFilter) > 0 {
		return r.wildPatterns()
	}
	var tags []orderly.Tag
	var patterns []store.TagPattern
	for _, t := range r.Tag {
		g, p := orderly.Tag{Key: t.Key}, store.TagPattern{Key: t.Key}
		if t.Value != nil {
			g.Value, p.Values = *t.Value, []string{*t.Value}
		}
		tags, patterns = append(tags, g), append(patterns, p)
	}
	return patterns, orderly.CheckResourceTags(tags)
}

func (r *listTagResourcesRequest) wildPatterns() ([]store.TagPattern, error) {
	if len(r.Tag) > 0 {
		return nil, rpc.Invalid("TagFilter", "The specified %s cannot be combined with Tag.")
	}
	if len(r.TagFilter) > maxTagFilters {
		return nil, orderly.TagPatternsMany
	}
	var keys []orderly.Tag
	var patterns []store.TagPattern
	for _, t := range r.TagFilter {
		if len(t.TagValues) > maxTagValues {
			return nil, orderly.TagPatternsMany
		}
		for _, v := range t.TagValues {
			if err := orderly.CheckResourceTags([]orderly.Tag{{Key: "k", Value: v}}); err != nil {
				return nil, err
			}
		}
		keys = append(keys, orderly.Tag{Key: t.TagKey})
		patterns = append(patterns, store.TagPattern{Key: t.TagKey, Values: t.TagValues, Wild: true})
	}
	return patterns, orderly.CheckResourceTags(keys)
}
