package ecs_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// tagList is an answer of ListTagResources.
type tagList struct {
	NextToken    string
	TagResources struct {
		TagResource []struct{ ResourceId, ResourceType, TagKey, TagValue string }
	}
}

// tagsOf are the tags of some resources, as "id key=value".
func (h *house) tagsOf(v values) (list []string) {
	h.t.Helper()
	for _, g := range call[tagList](h, "ListTagResources", v).TagResources.TagResource {
		if g.ResourceType != v["ResourceType"] {
			h.t.Errorf("ResourceType %q, want %q", g.ResourceType, v["ResourceType"])
		}
		list = append(list, fmt.Sprintf("%s %s=%s", g.ResourceId, g.TagKey, g.TagValue))
	}
	return list
}

func TestAnswersOfTags(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online(orderly.Tag{Key: "role", Value: "<db> & more"})
		h.golden("TagResources", "TagResources", values{"ResourceType": "instance", "ResourceId.1": id, "Tag.1.Key": "owner", "Tag.1.Value": "zhangsan", "Tag.2.Key": "empty"})
		h.golden("ListTagResources", "ListTagResources", values{"ResourceType": "instance", "ResourceId.1": id})
		h.golden("UntagResources", "UntagResources", values{"ResourceType": "instance", "ResourceId.1": id, "TagKey.1": "owner"})
		h.golden("ListTagResources-none", "ListTagResources", values{"ResourceType": "instance", "Tag.1.Key": "owner"})
	})
}

// Each sort of resource takes tags, gives them back, and is found by them in its own list.
func TestResourcesAreTagged(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.online()
		act := call[instances](h, "DescribeManagedInstances", nil).Instances[0].ActivationId
		command := call[run](h, "CreateCommand", aCommand).CommandId
		invocation := call[run](h, "RunCommand", script(id)).InvokeId
		for _, c := range []struct{ kind, id, list string }{
			{"instance", id, "DescribeInstances"}, {"managedinstance", id, "DescribeManagedInstances"}, {"command", command, "DescribeCommands"},
			{"invocation", invocation, "DescribeInvocations"}, {"activation", act, "DescribeActivations"},
		} {
			one := values{"ResourceType": c.kind, "ResourceId.1": c.id}
			found := func(pairs ...string) int {
				return call[page](h, c.list, values{}.with(pairs...)).TotalCount
			}
			call[struct{}](h, "TagResources", one.with("ResourceId.2", c.id, "Tag.1.Key", "env", "Tag.1.Value", "test", "Tag.2.Key", "team"))
			call[struct{}](h, "TagResources", one.with("Tag.1.Key", "env", "Tag.1.Value", "prod"))
			if got, want := h.tagsOf(one), []string{c.id + " env=prod", c.id + " team="}; !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", c.kind, got, want)
			}
			if n := found("Tag.1.Key", "env", "Tag.1.Value", "prod", "Tag.2.Key", "team"); n != 1 {
				t.Errorf("%s finds %d by tags", c.list, n)
			}
			call[struct{}](h, "UntagResources", one.with("TagKey.1", "env", "TagKey.2", "absent", "All", "true")) // All counts without keys only
			if got, want := h.tagsOf(one), []string{c.id + " team="}; !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", c.kind, got, want)
			}
			call[struct{}](h, "UntagResources", one.with("All", "true"))
			if got := h.tagsOf(one); got != nil || found("Tag.1.Key", "team") != 0 {
				t.Errorf("%s: %v after all were removed", c.kind, got)
			}
			h.as(other).refused("TagResources", one.with("Tag.1.Key", "mine"), 404, "InvalidResourceId.NotFound")
			h.refused("TagResources", one.with("Tag.1.Key", "k", "RegionId", "cn-beijing"), 404, "InvalidResourceId.NotFound")
		}
	})
}

// What is refused for one resource is done to none.
func TestTagsAreSetOnAllOrNone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first, second := h.online(), h.online()
		both := values{"ResourceType": "instance", "ResourceId.1": first, "ResourceId.2": second}
		call[struct{}](h, "TagResources", values{"ResourceType": "instance", "ResourceId.1": second}.with(many("Tag", 20, ".Key")...))
		h.refused("TagResources", both.with("Tag.1.Key", "more"), 400, "OperationDenied.QuotaExceed")
		h.refused("TagResources", both.with("ResourceId.3", "mi-unknown", "Tag.1.Key", "v0"), 404, "InvalidResourceId.NotFound")
		h.refused("UntagResources", both.with("ResourceId.3", "mi-unknown", "All", "true"), 404, "InvalidResourceId.NotFound")
		if got := h.tagsOf(both); len(got) != 20 {
			t.Errorf("%d tags: %v, want the 20 of the second", len(got), got)
		}
		call[struct{}](h, "TagResources", both.with("Tag.1.Key", "v0", "Tag.1.Value", "new")) // one of those it has
		if got := h.tagsOf(values{"ResourceType": "instance", "Tag.1.Key": "v0", "Tag.1.Value": "new"}); len(got) != 21 {
			t.Errorf("%d tags: %v", len(got), got)
		}
	})
}

// TGT-3, TGT-7: tags select the targets of commands at once; the built-in one is not shown and not
// to be had.
func TestTagsSelectTargets(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first, second := h.online(), h.online()
		byTag := tagged("ResourceTag.1.Key", "role", "ResourceTag.1.Value", "web")
		h.refused("RunCommand", byTag, 400, "InvalidResourceTag.InstanceNotFound")
		call[struct{}](h, "TagResources", values{"ResourceType": "instance", "ResourceId.1": second, "Tag.1.Key": "role", "Tag.1.Value": "web"})
		targets := func(v values) (list []string) {
			for _, row := range call[results](h, "DescribeInvocationResults", values{"InvokeId": call[run](h, "RunCommand", v).InvokeId}).Invocation.InvocationResults.InvocationResult {
				list = append(list, row.InstanceId)
			}
			return list
		}
		if got := targets(byTag); !slices.Equal(got, []string{second}) {
			t.Errorf("by tag: %v, want %s", got, second)
		}
		call[struct{}](h, "UntagResources", values{"ResourceType": "instance", "ResourceId.1": second, "All": "true"})
		h.refused("RunCommand", byTag, 400, "InvalidResourceTag.InstanceNotFound")
		if got := targets(tagged("ResourceTag.1.Key", "orderly:all")); !slices.Equal(got, []string{first, second}) {
			t.Errorf("by orderly:all: %v", got)
		}
		if got := h.tagsOf(values{"ResourceType": "instance", "TagFilter.1.TagKey": "*"}); got != nil {
			t.Errorf("listed: %v", got)
		}
	})
}

func TestTagsAreListedByFilters(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		web := h.online(orderly.Tag{Key: "env", Value: "prod"}, orderly.Tag{Key: "role", Value: ""})
		db := h.online(orderly.Tag{Key: "env", Value: "product-test"})
		h.online()
		all := values{"ResourceType": "instance"}
		for _, c := range []struct {
			name   string
			filter values
			want   []string
		}{
			{"key alone", all.with("Tag.1.Key", "env"), []string{db, web}},
			{"value", all.with("Tag.1.Key", "env", "Tag.1.Value", "prod"), []string{web}},
			{"all of the tags", all.with("Tag.1.Key", "env", "Tag.2.Key", "role"), []string{web}},
			{"empty value", all.with("Tag.1.Key", "role", "Tag.1.Value", ""), []string{web}},
			{"empty value of another", all.with("Tag.1.Key", "env", "Tag.1.Value", ""), nil},
			{"tag and ID", all.with("Tag.1.Key", "env", "ResourceId.1", db), []string{db}},
			{"other type", values{"ResourceType": "command", "Tag.1.Key": "env"}, nil},
			{"like a key", all.with("TagFilter.1.TagKey", "ro*"), []string{web}},
			{"like a value", all.with("TagFilter.1.TagKey", "env", "TagFilter.1.TagValues.1", "prod*"), []string{db, web}},
			{"like one of two", all.with("TagFilter.1.TagKey", "env", "TagFilter.1.TagValues.1", "*test", "TagFilter.1.TagValues.2", "x"), []string{db}},
			{"exact", all.with("TagFilter.1.TagKey", "env", "TagFilter.1.TagValues.1", "prod"), []string{web}},
		} {
			var got []string
			for _, g := range call[tagList](h, "ListTagResources", c.filter).TagResources.TagResource {
				got = append(got, g.ResourceId)
			}
			if got = slices.Compact(got); !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
		}
		if got := h.as(other).tagsOf(all.with("Tag.1.Key", "env")); got != nil {
			t.Errorf("another account sees %v", got)
		}
		call[struct{}](h, "DeregisterManagedInstance", values{"InstanceId": db})
		if got := h.tagsOf(all.with("Tag.1.Key", "env")); len(got) != 2 {
			t.Errorf("after one has left: %v", got)
		}
	})
}

// PG-6: 50 resources a page, each once and whole, by tokens that are for this list only.
func TestTagsAreListedInPages(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var want []string
		must(t, h.db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error {
			want = nil
			for n := range 103 {
				seq := h.db.NextSeq()
				i := orderly.Instance{Seq: seq, ID: orderly.NewID(orderly.InstancePrefix, region, seq), Account: account, Region: region, PublicKey: fmt.Sprint(seq),
					OS: orderly.Linux, Tags: []orderly.Tag{{Key: "a"}, {Key: "n", Value: fmt.Sprint(n)}}}
				if err := tx.AddInstance(i); err != nil {
					return err
				}
				want = append([]string{i.ID + " a=", fmt.Sprintf("%s n=%d", i.ID, n)}, want...)
			}
			return nil
		}))
		var got []string
		var sizes []int
		asked := values{"ResourceType": "instance", "Tag.1.Key": "a"}
		for token := "first"; token != ""; {
			list := call[tagList](h, "ListTagResources", asked)
			for _, g := range list.TagResources.TagResource {
				got = append(got, fmt.Sprintf("%s %s=%s", g.ResourceId, g.TagKey, g.TagValue))
			}
			sizes = append(sizes, len(list.TagResources.TagResource))
			if token = list.NextToken; token != "" {
				asked = asked.with("NextToken", token)
				h.refused("ListTagResources", asked.with("Tag.1.Key", "n"), 400, "InvalidParameter.NextToken")
				h.refused("ListTagResources", asked.with("ResourceType", "managedinstance"), 400, "InvalidParameter.NextToken")
				h.as(other).refused("ListTagResources", asked, 400, "InvalidParameter.NextToken")
			}
		}
		if d := cmp.Diff(want, got); d != "" || !slices.Equal(sizes, []int{100, 100, 6}) {
			t.Errorf("pages of %v tags (-want +got)\n%s", sizes, d)
		}
	})
}
