package swas

import (
	"context"
	"slices"
	"unicode/utf8"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
)

// maxTag is the length of a tag's key and of its value, in characters: less than elsewhere (rule TGT-5).
const maxTag = 64

// checkTags finds what is wrong with tags that something is made with or filtered by.
func checkTags(tags []orderly.Tag) error {
	if err := orderly.CheckTags(tags); err != nil {
		return err
	}
	return checkSizes(tags)
}

// checkResourceTags is checkTags for the operations about tags and the list of instances.
func checkResourceTags(tags []orderly.Tag) error {
	if err := orderly.CheckResourceTags(tags); err != nil {
		return err
	}
	return checkSizes(tags)
}

func checkSizes(tags []orderly.Tag) error {
	for _, t := range tags {
		switch {
		case utf8.RuneCountInString(t.Key) > maxTag:
			return orderly.TagKeyMalformed
		case utf8.RuneCountInString(t.Value) > maxTag:
			return orderly.TagValueMalformed
		}
	}
	return nil
}

// tagsShown are tags as answers have them, which spell them as requests do.
func tagsShown(tags []orderly.Tag) []rpc.Tag {
	var list []rpc.Tag
	for _, t := range tags {
		list = append(list, rpc.Tag(t))
	}
	return list
}

// taggable are the types of resources that there are here, untaggable the others that are published.
var (
	taggable   = map[string]store.Kind{"instance": store.TaggedInstance, "command": store.TaggedCommand}
	untaggable = []string{"snapshot", "customimage", "firewallrule", "disk"}
)

// Limits of the operations for tags.
const (
	maxResources = 50
	tagsPage     = "50" // resources on a page; no text states a number
)

// resources are what parameters name.
func resources(region, kind string, ids []string) (store.Resources, error) {
	r := store.Resources{Region: region, Kind: taggable[kind], IDs: slices.Clone(ids)}
	for i, id := range r.IDs {
		r.IDs[i] = orderly.OfAlias(id, region)
	}
	switch {
	case len(ids) > maxResources:
		return r, orderly.ResourcesTooMany
	case r.Kind != "":
		return r, nil
	case slices.Contains(untaggable, kind):
		return r, orderly.ResourceUntaggable
	}
	return r, orderly.ResourceTypeUnknown
}

// ClientToken says that a request may be sent again, which with tags changes nothing anyway.
type tagResourcesRequest struct {
	RegionId     string    `rpc:",required"`
	ResourceType string    `rpc:",required"`
	ResourceId   []string  `rpc:",required"`
	Tag          []rpc.Tag `rpc:",required"`
	ClientToken  string
}

func (d *Dialect) tagResources(ctx context.Context, c orderly.Caller, req tagResourcesRequest) (emptyResponse, error) {
	if err := orderly.CheckClientToken(req.ClientToken); err != nil {
		return emptyResponse{}, err
	}
	tags := rpc.Tags(req.Tag)
	if err := checkResourceTags(tags); err != nil {
		return emptyResponse{}, err
	}
	r, err := resources(req.RegionId, req.ResourceType, req.ResourceId)
	if err != nil {
		return emptyResponse{}, err
	}
	return emptyResponse{}, d.fleet.Tag(ctx, c, r, tags)
}

type untagResourcesRequest struct {
	RegionId     string   `rpc:",required"`
	ResourceType string   `rpc:",required"`
	ResourceId   []string `rpc:",required"`
	TagKey       []string
	All          bool // counts only without TagKey
	ClientToken  string
}

func (d *Dialect) untagResources(ctx context.Context, c orderly.Caller, req untagResourcesRequest) (emptyResponse, error) {
	if len(req.TagKey) == 0 && !req.All {
		return emptyResponse{}, orderly.TagsMissing
	}
	if err := orderly.CheckClientToken(req.ClientToken); err != nil {
		return emptyResponse{}, err
	}
	r, err := resources(req.RegionId, req.ResourceType, req.ResourceId)
	if err != nil {
		return emptyResponse{}, err
	}
	return emptyResponse{}, d.fleet.Untag(ctx, c, r, req.TagKey)
}

type listTagResourcesRequest struct {
	RegionId     string `rpc:",required"`
	ResourceType string `rpc:",required"`
	ResourceId   []string
	Tag          []tagAsked
	NextToken    string
	ClientToken  string
}

// A tagAsked is a tag to look for: without a value, which is not the empty one, any will do.
type tagAsked struct {
	Key   string
	Value *string
}

type listTagResourcesResponse struct {
	NextToken    string
	TagResources wrappedTagResources
}

// wrappedTagResources is the only list in a wrapper that this dialect has.
type wrappedTagResources struct{ TagResource []tagResource }

type tagResource struct {
	ResourceId   string
	ResourceType string
	TagKey       string
	TagValue     string
}

func (d *Dialect) listTagResources(ctx context.Context, c orderly.Caller, req listTagResourcesRequest) (resp listTagResourcesResponse, err error) {
	f, err := req.filter()
	if err != nil {
		return resp, err
	}
	scope := rpc.Scope{Operation: "SWAS ListTagResources", Account: c.Account, Region: req.RegionId, Filter: []any{f, req.ResourceType}}
	page, err := d.tokens.Cursor(rpc.Paging{MaxResults: tagsPage, NextToken: req.NextToken}, scope, rpc.MaxSize)
	if err != nil {
		return resp, err
	}
	list, err := d.fleet.Tagged(ctx, c, f, page.Rows())
	if err != nil {
		return resp, err
	}
	list, at := rpc.Cut(page, list, 0, func(g store.Tagged) store.Place { return store.Place{Seq: g.Seq} })
	resp.NextToken = at.NextToken
	for _, g := range list {
		resp.TagResources.add(g, req.ResourceType)
	}
	return resp, nil
}

func (w *wrappedTagResources) add(g store.Tagged, kind string) {
	for _, t := range g.Tags {
		w.TagResource = append(w.TagResource, tagResource{orderly.Alias(g.ID), kind, t.Key, t.Value})
	}
}

func (r *listTagResourcesRequest) filter() (f store.TagFilter, err error) {
	if err := orderly.CheckClientToken(r.ClientToken); err != nil {
		return f, err
	}
	var tags []orderly.Tag
	for _, t := range r.Tag {
		p, g := store.TagPattern{Key: t.Key}, orderly.Tag{Key: t.Key}
		if t.Value != nil {
			p.Values, g.Value = []string{*t.Value}, *t.Value
		}
		f.Patterns, tags = append(f.Patterns, p), append(tags, g)
	}
	if err := checkResourceTags(tags); err != nil {
		return f, err
	}
	f.Resources, err = resources(r.RegionId, r.ResourceType, r.ResourceId)
	return f, err
}
