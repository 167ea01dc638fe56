package fleet

import (
	"context"
	"slices"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// Tag sets tags on resources, on all of them or, when one does not exist or has no place left, on none.
// A resource that has a tag with such a key gets the new value.
func (f *Fleet) Tag(ctx context.Context, c orderly.Caller, r store.Resources, tags []orderly.Tag) error {
	if err := orderly.CheckResourceTags(tags); err != nil {
		return err
	}
	return f.resources(ctx, c, r, func(tx *store.Tx, r store.Resources, has map[string][]orderly.Tag) error {
		for _, id := range r.IDs {
			if err := orderly.CheckTagQuota(has[id], tags); err != nil {
				return err
			}
		}
		return tx.SetTags(r, tags)
	})
}

// Untag takes the tags with some keys, or without keys all of them, from resources. A key that one of
// them does not have is no error.
func (f *Fleet) Untag(ctx context.Context, c orderly.Caller, r store.Resources, keys []string) error {
	if err := orderly.CheckTagKeys(keys); err != nil {
		return err
	}
	return f.resources(ctx, c, r, func(tx *store.Tx, r store.Resources, _ map[string][]orderly.Tag) error {
		return tx.DropTags(r, keys)
	})
}

// Tagged lists the caller's resources that carry tags, newest first. ResourceUnknown when one that the
// filter names does not exist.
func (f *Fleet) Tagged(ctx context.Context, c orderly.Caller, flt store.TagFilter, p store.Page) ([]store.Tagged, error) {
	flt.Account, flt.Realm, flt.IDs = c.Account, c.Realm, once(flt.IDs)
	if err := f.engine.CheckRegion(flt.Region); err != nil {
		return nil, err
	}
	if len(flt.IDs) > 0 {
		n, err := f.db.CountResources(ctx, flt.Resources)
		if err == nil && n < len(flt.IDs) {
			err = orderly.ResourceUnknown
		}
		if err != nil {
			return nil, err
		}
	}
	return f.db.Tagged(ctx, flt, p)
}

// once is a list without repetitions.
func once(ids []string) []string { return slices.Compact(slices.Sorted(slices.Values(ids))) }

// resources makes a change to resources, all of which must exist; it is told which tags they have.
func (f *Fleet) resources(ctx context.Context, c orderly.Caller, r store.Resources, change func(*store.Tx, store.Resources, map[string][]orderly.Tag) error) error {
	r.Account, r.Realm, r.IDs = c.Account, c.Realm, once(r.IDs)
	if err := f.engine.CheckRegion(r.Region); err != nil {
		return err
	}
	return f.db.Write(ctx, store.Interactive, func(tx *store.Tx) error {
		has, err := tx.TagsOf(r)
		if err == nil && len(has) < len(r.IDs) {
			err = orderly.ResourceUnknown
		}
		if err != nil {
			return err
		}
		return change(tx, r, has)
	})
}
