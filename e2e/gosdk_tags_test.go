package e2e_test

import (
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/orderly-run/orderly/e2e/stage"
)

// tags are what a list of tags shows of resources, each with its type.
func (p *play) tags(kind string, ids ...string) []ecs.TagResource {
	p.Helper()
	q := ecs.CreateListTagResourcesRequest()
	q.ResourceType, q.ResourceId = kind, &ids
	a := ask(p, p.SDK.ListTagResources, q)
	check(p, "the page of tags", a, &ecs.ListTagResourcesResponse{TagResources: a.TagResources})
	return a.TagResources.TagResource
}

func (p *play) tag(kind, id string, tags ...ecs.TagResourcesTag) {
	p.Helper()
	q := ecs.CreateTagResourcesRequest()
	q.ResourceType, q.ResourceId, q.Tag = kind, &[]string{id}, &tags
	check(p, "TagResources", ask(p, p.SDK.TagResources, q), &ecs.TagResourcesResponse{})
}

func (p *play) untag(kind, id string, keys ...string) {
	p.Helper()
	q := ecs.CreateUntagResourcesRequest()
	q.ResourceType, q.ResourceId = kind, &[]string{id}
	if q.All = truth(true); len(keys) > 0 {
		q.All, q.TagKey = "", &keys
	}
	check(p, "UntagResources", ask(p, p.SDK.UntagResources, q), &ecs.UntagResourcesResponse{})
}

// Everything that carries tags gets them, shows them and loses them (TGT-5, TGT-7).
func TestGoSDKTagsResources(t *testing.T) {
	eachFormat(t, func(p *play) {
		a := p.Server.Agent("one")
		command := p.createCommand()
		run := ask(p, p.SDK.RunCommand, newRun("true", a))
		p.ended(run.InvokeId)
		activation, _ := p.createActivation()
		for _, r := range []struct {
			kind, id string
			had      []ecs.TagResource
		}{
			{"instance", a.ID, nil},
			{"managedinstance", a.ID, nil},
			{"command", command.CommandId, []ecs.TagResource{{ResourceId: command.CommandId, ResourceType: "command", TagKey: "team", TagValue: "a b"}}},
			{"invocation", run.InvokeId, nil},
			{"activation", activation.ActivationId, []ecs.TagResource{{ResourceId: activation.ActivationId, ResourceType: "activation", TagKey: "role", TagValue: "web"}}},
		} {
			check(p, "tags of a new "+r.kind, p.tags(r.kind, r.id), r.had)
			p.tag(r.kind, r.id, ecs.TagResourcesTag{Key: "a <k>", Value: "1 & *~"}, ecs.TagResourcesTag{Key: "b"})
			p.tag(r.kind, r.id, ecs.TagResourcesTag{Key: "b", Value: "2"})
			check(p, "tags of a "+r.kind, p.tags(r.kind, r.id), append([]ecs.TagResource{
				{ResourceId: r.id, ResourceType: r.kind, TagKey: "a <k>", TagValue: "1 & *~"}, {ResourceId: r.id, ResourceType: r.kind, TagKey: "b", TagValue: "2"},
			}, r.had...))
			p.untag(r.kind, r.id, "a <k>")
			check(p, "tags of a "+r.kind+" after one went", p.tags(r.kind, r.id), append([]ecs.TagResource{{ResourceId: r.id, ResourceType: r.kind, TagKey: "b", TagValue: "2"}}, r.had...))
			p.untag(r.kind, r.id)
			check(p, "tags of a "+r.kind+" after all went", p.tags(r.kind, r.id), nil)
		}
		p.tagsSelect(a)
		p.tagsAreRefused(a)
	})
}

// tagsSelect runs commands where tags say, and finds machines by them (TGT-3).
func (p *play) tagsSelect(a *stage.Agent) {
	p.Helper()
	q := newRun("echo tagged")
	q.ResourceTag = &[]ecs.RunCommandResourceTag{{Key: "role", Value: "db"}}
	refused(p, p.SDK.RunCommand, q, 400, "InvalidResourceTag.InstanceNotFound")
	p.tag("instance", a.ID, ecs.TagResourcesTag{Key: "role", Value: "db"})
	run := ask(p, p.SDK.RunCommand, q)
	want := once(run.InvokeId, run.CommandId, "echo tagged")
	want.InvocationStatus, want.InvokeStatus = "Success", "Finished"
	p.checkEnded(p.ended(run.InvokeId), want, on(a, "tagged\n"))
	list := ecs.CreateListTagResourcesRequest()
	list.ResourceType, list.TagFilter = "instance", &[]ecs.ListTagResourcesTagFilter{{TagKey: "role", TagValues: &[]string{"d*", "x"}}}
	check(p, "tags by a filter", ask(p, p.SDK.ListTagResources, list).TagResources.TagResource, []ecs.TagResource{
		{ResourceId: a.ID, ResourceType: "instance", TagKey: "role", TagValue: "db"},
	})
	machines := ecs.CreateDescribeManagedInstancesRequest()
	machines.Tag = &[]ecs.DescribeManagedInstancesTag{{Key: "role", Value: "db"}}
	if list := ask(p, p.SDK.DescribeManagedInstances, machines).Instances; len(list) != 1 || list[0].InstanceId != a.ID {
		p.Errorf("machines by a tag: %+v", list)
	}
}

func (p *play) tagsAreRefused(a *stage.Agent) {
	p.Helper()
	tags := func(key, value string) *ecs.TagResourcesRequest {
		q := ecs.CreateTagResourcesRequest()
		q.ResourceType, q.ResourceId, q.Tag = "instance", &[]string{a.ID}, &[]ecs.TagResourcesTag{{Key: key, Value: value}}
		return q
	}
	refused(p, p.SDK.TagResources, tags("orderly:all", ""), 400, "InvalidTagKey.Malformed")
	refused(p, p.SDK.TagResources, tags("acs:x", ""), 400, "InvalidTagKey.Malformed")
	refused(p, p.SDK.TagResources, tags("k", "http://x"), 400, "InvalidTagValue.Malformed")
	refused(p, p.SDK.TagResources, tags("", "v"), 400, "InvalidTag.Mismatch")
	q := tags("k", "v")
	q.ResourceId = &[]string{a.ID, "mi-hz0aaaaaaaaaaaa"}
	refused(p, p.SDK.TagResources, q, 404, "InvalidResourceId.NotFound")
	q = tags("k", "v")
	q.ResourceType = "disk"
	refused(p, p.SDK.TagResources, q, 403, "InvalidResourceId.NotSupported")
	q.ResourceType = "moon"
	refused(p, p.SDK.TagResources, q, 404, "InvalidResourceType.NotFound")
	all := ecs.CreateUntagResourcesRequest()
	all.ResourceType, all.ResourceId = "instance", &[]string{a.ID}
	refused(p, p.SDK.UntagResources, all, 404, "MissingParameter.Tags")
	none := ecs.CreateListTagResourcesRequest()
	none.ResourceType = "instance"
	refused(p, p.SDK.ListTagResources, none, 404, "MissingParameter.Tags")
	check(p, "tags after refusals", p.tags("instance", a.ID), []ecs.TagResource{{ResourceId: a.ID, ResourceType: "instance", TagKey: "role", TagValue: "db"}})
}
