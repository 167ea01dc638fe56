package ecs_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// targets are the instances of an invocation, in their order.
func (h *house) targets(invoke string) (ids []string) {
	h.t.Helper()
	for _, row := range h.only(values{"InvokeId": invoke}).InvokeInstances.InvokeInstance {
		ids = append(ids, row.InstanceId)
	}
	return ids
}

// instance makes an instance with an ID of one's own, which was not heard of for an hour.
func (h *house) instance(id, account, region string) string {
	h.t.Helper()
	i := orderly.Instance{
		Seq: h.db.NextSeq(), ID: id, Account: account, Region: region, PublicKey: "key-" + id, OS: orderly.Linux, Registered: h.db.Now().Add(-time.Hour),
	}
	must(h.t, h.db.Write(h.t.Context(), store.Interactive, func(tx *store.Tx) error { return tx.AddInstance(i) }))
	return id
}

// TGT-1, TGT-2: a hundred instances of any kind, in their order, each once.
func TestTargetsByID(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var hundred []string
		for i := range 100 {
			hundred = append(hundred, h.instance(fmt.Sprintf([]string{"i-bp%d", "mi-hz%d"}[i%2], i), account, region))
		}
		command := call[run](h, "CreateCommand", aCommand).CommandId
		invoke := func(ids ...string) values {
			v := script(ids...).with("CommandId", command)
			delete(v, "Type")
			delete(v, "CommandContent")
			return v
		}
		a, b, c := hundred[0], hundred[1], hundred[2]
		for name, tt := range map[string]struct{ asked, want []string }{
			"TGT-1, a hundred":                {hundred, hundred},
			"TGT-1, i- and mi-":               {[]string{b, a}, []string{b, a}},
			"TGT-2, duplicates":               {[]string{c, a, c, b, a, a}, []string{c, a, b}},
			"TGT-1, a hundred times the same": {slices.Repeat([]string{a}, 100), []string{a}},
		} {
			ran := h.targets(call[run](h, "RunCommand", script(tt.asked...)).InvokeId)
			invoked := h.targets(call[run](h, "InvokeCommand", invoke(tt.asked...)).InvokeId)
			if !slices.Equal(ran, tt.want) || !slices.Equal(invoked, tt.want) {
				t.Errorf("%s: %v and %v, want %v", name, ran, invoked, tt.want)
			}
		}
		gaps := values{"Type": "RunShellScript", "CommandContent": "true", "InstanceId.70": c, "InstanceId.9": b, "InstanceId.10": a}
		if got := h.targets(call[run](h, "RunCommand", gaps).InvokeId); !slices.Equal(got, []string{b, a, c}) {
			t.Errorf("by number with gaps: %v, want %v", got, []string{b, a, c})
		}
		if got := h.targets(call[run](h, "RunCommand", tagged("InstanceId", a)).InvokeId); !slices.Equal(got, []string{a}) {
			t.Errorf("without a number: %v, want %v", got, []string{a})
		}
	})
}

// TGT-2: what belongs to another account, or to another region, is not there.
func TestForeignTargets(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		mine := h.instance("i-mine", account, region)
		for _, id := range []string{h.instance("i-other", other, region), h.instance("i-away", account, "cn-beijing"), h.instance("mi-foreign", other, "cn-beijing")} {
			h.refused("RunCommand", script(mine, id), 404, "InvalidInstance.NotFound")
		}
		if got := h.targets(call[run](h, "RunCommand", tagged("ResourceTag.1.Key", "orderly:all")).InvokeId); !slices.Equal(got, []string{mine}) { // TGT-7
			t.Errorf("all are %v, want %v", got, []string{mine})
		}
		h.as(other).refused("RunCommand", script(mine), 404, "InvalidInstance.NotFound")
	})
}

// TGT-3: all of as many tags as there may be, and what they select is fixed then.
func TestTargetsByTagsAreFixed(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var tags []orderly.Tag
		for i := range 20 {
			tags = append(tags, orderly.Tag{Key: fmt.Sprintf("v%d", i), Value: strings.Repeat("ä", 128)})
		}
		ask := func(n int) (pairs []string) {
			for i, g := range tags[:n] {
				pairs = append(pairs, fmt.Sprintf("ResourceTag.%d.Key", i+1), g.Key, fmt.Sprintf("ResourceTag.%d.Value", i+1), g.Value)
			}
			return pairs
		}
		full, some := h.online(tags...), h.online(tags[:10]...)
		command := call[run](h, "CreateCommand", aCommand).CommandId
		twenty := call[run](h, "RunCommand", tagged(ask(20)...)).InvokeId
		ten := call[run](h, "InvokeCommand", values{"CommandId": command}.with(ask(10)...)).InvokeId
		call[struct{}](h, "UntagResources", values{"ResourceType": "instance", "ResourceId.1": some, "All": "true"})
		h.online(tags...)
		if got := h.targets(twenty); !slices.Equal(got, []string{full}) {
			t.Errorf("by 20 tags %v, want %v", got, []string{full})
		}
		if got := h.targets(ten); !slices.Equal(got, []string{full, some}) {
			t.Errorf("by 10 tags %v, want %v", got, []string{full, some})
		}
	})
}

// TGT-4: a request with a group is for machines of that group and of the default one.
func TestResourceGroupsOfTargets(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		grouped, none := h.online(), h.instance("mi-none", account, region) // all that register are of rg-machines
		command := call[run](h, "CreateCommand", aCommand.with("ResourceGroupId", "rg-commands")).CommandId
		for group, want := range map[string]int{"": 200, "rg-machines": 200, "rg-other": 404} {
			for action, v := range map[string]values{
				"RunCommand":    script(none, grouped).with("ResourceGroupId", group),
				"InvokeCommand": {"CommandId": command, "InstanceId.1": grouped, "InstanceId.2": none, "ResourceGroupId": group},
			} {
				if a := h.send(action, "JSON", v); a.status != want {
					t.Errorf("%s with group %q: %s, want %d", action, group, a.body, want)
				}
			}
		}
		call[run](h, "RunCommand", script(none).with("ResourceGroupId", "rg-other"))
		h.refused("RunCommand", tagged("ResourceTag.1.Key", "orderly:all", "ResourceGroupId", "rg-other"), 404, "InvalidResourceGroup.NotFound")
		for group, want := range map[string]int{"rg-machines": 2, "rg-other": 1, "rg-commands": 0} {
			if got := call[invocations](h, "DescribeInvocations", values{"ResourceGroupId": group}).TotalCount; got != want {
				t.Errorf("%d invocations of %s, want %d", got, group, want)
			}
		}
	})
}

// TGT-5: tags of an invocation as large, and as many, as there may be.
func TestTagsOfInvocations(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		v := script(h.online())
		for i := range 20 {
			v[fmt.Sprintf("Tag.%d.Key", i+1)] = strings.Repeat("ä", 63) + string(rune('a'+i))
			v[fmt.Sprintf("Tag.%d.Value", i+1)] = strings.Repeat("€", 128)
		}
		delete(v, "Tag.20.Value") // the empty value
		invoke := call[run](h, "RunCommand", v).InvokeId
		type taggedInvocation struct {
			Invocations struct {
				Invocation []struct {
					Tags struct {
						Tag []struct{ TagKey, TagValue string }
					}
				}
			}
		}
		got := map[string]string{}
		for _, g := range call[taggedInvocation](h, "DescribeInvocations", values{"InvokeId": invoke}).Invocations.Invocation[0].Tags.Tag {
			got[g.TagKey] = g.TagValue
		}
		for i := range 20 {
			key := v[fmt.Sprintf("Tag.%d.Key", i+1)]
			if value, ok := got[key]; !ok || value != v[fmt.Sprintf("Tag.%d.Value", i+1)] {
				t.Errorf("tag %q has the value %q", key, value)
			}
		}
		if len(got) != 20 {
			t.Errorf("%d tags, want 20", len(got))
		}
	})
}

// DLV-1, T3, TGT-6: said at all, also with its default, a machine that is away is waited for.
func TestDeliveryTimeouts(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		away, here := h.away(orderly.Linux), h.online()
		for asked, want := range map[string]string{"": "Aborted", "10": "Pending", "60": "Pending", "604800": "Pending"} {
			v := script(away, here).with("DeliveryTimeout", asked)
			invoke := call[run](h, "RunCommand", v).InvokeId
			rows := h.only(values{"InvokeId": invoke}).InvokeInstances.InvokeInstance
			if rows[0].InvocationStatus != want || rows[1].InvocationStatus != "Pending" {
				t.Errorf("DeliveryTimeout %q: %s and %s, want %s and Pending", asked, rows[0].InvocationStatus, rows[1].InvocationStatus, want)
			}
			for _, action := range []string{"DescribeInvocations", "DescribeInvocationResults"} {
				if a := h.send(action, "JSON", values{"InvokeId": invoke}); bytes.Contains(a.body, []byte(`"DeliveryTimeout":`)) {
					t.Errorf("%s tells of it: %s", action, a.body)
				}
			}
			h.wire.mu.Lock()
			last := h.wire.sent[len(h.wire.sent)-1]
			h.wire.mu.Unlock()
			limit := map[string]time.Duration{"": time.Minute}[asked]
			if limit == 0 {
				limit, _ = time.ParseDuration(asked + "s")
			}
			if last.Allowed > limit || last.Allowed < limit-5*time.Second { // HND-3
				t.Errorf("DeliveryTimeout %q: the agent is allowed %s, want %s", asked, last.Allowed, limit)
			}
		}
	})
}
