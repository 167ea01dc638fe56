package cli

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/orderly-run/orderly/internal/client"
)

var instanceColumns = []Column[client.ManagedInstance]{
	{Title: "NAME", Cell: func(i *client.ManagedInstance) string { return i.InstanceName }, Cut: 10},
	{Title: "INSTANCE ID", Cell: func(i *client.ManagedInstance) string { return i.InstanceId }},
	{Title: "STATUS", Cell: linkOf, Colour: linkColour},
	{Title: "TAGS", In: InWide, Cell: instanceTags, Cut: 16},
	{Title: "SYSTEM", Cell: func(i *client.ManagedInstance) string { return i.OsType }},
	{Title: "ADDRESS", Cell: func(i *client.ManagedInstance) string { return i.IntranetIp }},
	{Title: "AGENT", Cell: func(i *client.ManagedInstance) string { return i.AgentVersion }},
	{Title: "LAST RUN", Cell: func(i *client.ManagedInstance) string { return since(i.LastInvokedTime) }},
	{Title: "VERSION", In: InWide, Cell: func(i *client.ManagedInstance) string { return i.OsVersion }, Cut: 8},
	{Title: "HOST NAME", In: InWide, Cell: func(i *client.ManagedInstance) string { return i.Hostname }, Cut: 8},
	{Title: "REGISTERED", In: InWide, Cell: func(i *client.ManagedInstance) string { return dated(i.RegistrationTime) }},
	{Title: "INVOCATIONS", In: Alone, Cell: func(i *client.ManagedInstance) string { return fmt.Sprint(i.InvocationCount) }},
	{Title: "PUBLIC ADDRESS", In: Alone, Cell: func(i *client.ManagedInstance) string { return i.InternetIp }},
	{Title: "MACHINE ID", In: Alone, Cell: func(i *client.ManagedInstance) string { return i.MachineId }},
	{Title: "ACTIVATION ID", In: Alone, Cell: func(i *client.ManagedInstance) string { return i.ActivationId }},
}

func linkOf(i *client.ManagedInstance) string {
	if i.Connected {
		return "connected"
	}
	return "away"
}

func linkColour(i *client.ManagedInstance) string {
	if i.Connected {
		return green
	}
	return yellow
}

func instanceTags(i *client.ManagedInstance) string {
	var list []string
	for _, t := range i.Tags {
		list = append(list, pair(t.TagKey, t.TagValue))
	}
	return strings.Join(list, ",")
}

// pair is a tag as it is written.
func pair(key, value string) string {
	if value == "" {
		return key
	}
	return key + "=" + value
}

// ParseTag reads KEY or KEY=VALUE.
func ParseTag(text string) client.Tag {
	key, value, _ := strings.Cut(text, "=")
	return client.Tag{Key: key, Value: value}
}

// A Fleet selects machines; all that is given must match.
type Fleet struct {
	Name      string   // or a pattern with *, ? and [] in it
	Tags      []string // KEY or KEY=VALUE
	Connected string   // "true", "false" or ""
	Limit     int      // how many; 0 for all
}

func (f *Fleet) request() client.DescribeManagedInstancesRequest {
	q := client.DescribeManagedInstancesRequest{Connected: f.Connected}
	for _, t := range f.Tags {
		q.Tag = append(q.Tag, ParseTag(t))
	}
	if !isPattern(f.Name) {
		q.InstanceName = f.Name
	}
	return q
}

func isPattern(name string) bool { return strings.ContainsAny(name, "*?[") }

// fleet is the machines that f selects, by name.
func (s *Session) fleet(ctx context.Context, f Fleet) (client.List[client.ManagedInstance], error) {
	if _, err := path.Match(f.Name, ""); err != nil {
		return client.List[client.ManagedInstance]{}, &Exit{Refused, Advise(fmt.Errorf("%q is no pattern of names", f.Name), "* stands for any text, ? for one character, [a-c] for one of some")}
	}
	limit := f.Limit
	if isPattern(f.Name) {
		limit = 0
	}
	list, err := client.Fetch[client.ManagedInstance](ctx, s.api, client.Listing{
		Action: "DescribeManagedInstances", Params: f.request(), Path: []string{"Instances"}, Limit: limit,
	})
	if err != nil {
		return list, refused(ctx, err)
	}
	arrange(&list, func(a, b *client.ManagedInstance) int { return natural(a.InstanceName, b.InstanceName) })
	if isPattern(f.Name) {
		keep(&list, f.Limit, func(i *client.ManagedInstance) bool { ok, _ := path.Match(f.Name, i.InstanceName); return ok })
	}
	return list, nil
}

// arrange orders a list, and what the server said with it.
func arrange[T any](l *client.List[T], compare func(a, b *T) int) {
	at := make([]int, len(l.Items))
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at, func(i, j int) int { return compare(&l.Items[i], &l.Items[j]) })
	sorted := client.List[T]{More: l.More}
	for _, i := range at {
		sorted.Items, sorted.Raw = append(sorted.Items, l.Items[i]), append(sorted.Raw, l.Raw[i])
	}
	*l = sorted
}

// keep takes from a list what is not wanted, and all beyond limit unless that is 0.
func keep[T any](l *client.List[T], limit int, wanted func(*T) bool) {
	kept := client.List[T]{More: l.More}
	for i := range l.Items {
		switch {
		case !wanted(&l.Items[i]):
		case limit > 0 && len(kept.Items) == limit:
			kept.More = true
		default:
			kept.Items, kept.Raw = append(kept.Items, l.Items[i]), append(kept.Raw, l.Raw[i])
		}
	}
	*l = kept
}

// shown prints a list that was fetched; empty says what to do when there is nothing in it.
func shown[T any](s *Session, columns []Column[T], l client.List[T], empty string) error {
	if len(l.Items) == 0 && (s.Format == Table || s.Format == Wide) {
		s.note("%s", empty)
		return nil
	}
	if l.More {
		s.note("there are more than these %d: see --limit", len(l.Items))
	}
	raw := any(l.Raw)
	if len(l.Raw) == 0 {
		raw = []any{} // not null
	}
	return List(s, columns, l.Items, raw)
}

// Instances lists machines.
func (s *Session) Instances(ctx context.Context, f Fleet) error {
	list, err := s.fleet(ctx, f)
	if err != nil {
		return err
	}
	empty := "no machine is like that: orderly instance list shows all"
	if f.Name == "" && f.Connected == "" && len(f.Tags) == 0 {
		empty = "no machines: orderly activation create prints the lines that register one"
	}
	return shown(s, instanceColumns, list, empty)
}

// instance finds the one machine that the user means, by its ID or its name.
func (s *Session) instance(ctx context.Context, ref string) (client.List[client.ManagedInstance], error) {
	q := client.DescribeManagedInstancesRequest{InstanceName: ref}
	if isInstanceID(ref) {
		q = client.DescribeManagedInstancesRequest{InstanceId: []string{ref}}
	}
	list, err := client.Fetch[client.ManagedInstance](ctx, s.api, client.Listing{Action: "DescribeManagedInstances", Params: q, Path: []string{"Instances"}})
	if err != nil {
		return list, refused(ctx, err)
	}
	switch len(list.Items) {
	case 1:
		return list, nil
	case 0:
		return list, &Exit{Refused, Advise(fmt.Errorf("there is no machine %s", ref), "see which ones there are: orderly instance list")}
	}
	return list, &Exit{Refused, ambiguous(ref, list.Items)}
}

func ambiguous(name string, list []client.ManagedInstance) error {
	return Advise(fmt.Errorf("%d machines are named %s", len(list), name), "give the ID of one: "+
		strings.Join(ids(list, func(i *client.ManagedInstance) string { return i.InstanceId }), ", "))
}

// isInstanceID tells IDs from names.
func isInstanceID(ref string) bool {
	return strings.HasPrefix(ref, "mi-") || strings.HasPrefix(ref, "i-")
}

// Instance shows one machine.
func (s *Session) Instance(ctx context.Context, ref string) error {
	list, err := s.instance(ctx, ref)
	if err != nil {
		return err
	}
	return One(s, instanceColumns, &list.Items[0], list.Raw[0])
}

// Rename gives a machine another name.
func (s *Session) Rename(ctx context.Context, ref, name string) error {
	list, err := s.instance(ctx, ref)
	if err != nil {
		return err
	}
	id := list.Items[0].InstanceId
	if err := s.api.Call(ctx, "ModifyManagedInstance", map[string]string{"InstanceId": id, "InstanceName": name}, nil); err != nil {
		return refused(ctx, err)
	}
	return s.print(fmt.Sprintf("%s is named %s\n", id, name))
}

// instances are the machines that the user means one by one.
func (s *Session) instances(ctx context.Context, refs []string) (list []client.ManagedInstance, err error) {
	for _, ref := range refs {
		one, err := s.instance(ctx, ref)
		if err != nil {
			return nil, err
		}
		list = append(list, one.Items[0])
	}
	return list, nil
}

// Remove deregisters machines, after asking.
func (s *Session) Remove(ctx context.Context, refs []string) error {
	list, err := s.instances(ctx, refs)
	if err != nil {
		return err
	}
	names := ids(list, func(i *client.ManagedInstance) string { return i.InstanceName + " (" + i.InstanceId + ")" })
	if err := s.Confirm("remove " + strings.Join(names, ", ") + ", which must register again to come back"); err != nil {
		return err
	}
	for i := range list {
		params := map[string]string{"InstanceId": list[i].InstanceId}
		if err := s.api.Call(ctx, "DeregisterManagedInstance", params, nil); err != nil {
			return refused(ctx, err)
		}
		if err := s.print("removed " + names[i] + "\n"); err != nil {
			return err
		}
	}
	return nil
}

// A tagging is what becomes of the tags of machines.
type tagging struct {
	ResourceType string
	ResourceId   []string
	Tag          []client.Tag
	TagKey       []string // to take off
}

// Tag sets tags (KEY=VALUE, or KEY= for none) and takes tags off (KEY-).
func (s *Session) Tag(ctx context.Context, refs, changes []string) error {
	set := tagging{ResourceType: "managedinstance"}
	for _, change := range changes {
		if key, ok := strings.CutSuffix(change, "-"); ok && !strings.Contains(change, "=") {
			set.TagKey = append(set.TagKey, key)
		} else {
			set.Tag = append(set.Tag, ParseTag(change))
		}
	}
	list, err := s.instances(ctx, refs)
	if err != nil {
		return err
	}
	set.ResourceId = ids(list, func(i *client.ManagedInstance) string { return i.InstanceId })
	unset := set
	set.TagKey, unset.Tag = nil, nil
	if len(unset.TagKey) > 0 {
		err = s.api.Call(ctx, "UntagResources", unset, nil)
	}
	if len(set.Tag) > 0 {
		err = errors.Join(err, s.api.Call(ctx, "TagResources", set, nil))
	}
	if err != nil {
		return refused(ctx, err)
	}
	return s.print("tagged " + strings.Join(ids(list, func(i *client.ManagedInstance) string { return i.InstanceName }), ", ") + "\n")
}

// InstanceNames are the names and IDs of machines, for completion.
func (s *Session) InstanceNames(ctx context.Context) ([]string, error) {
	list, err := s.fleet(ctx, Fleet{Limit: completions})
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].InstanceName, list.Items[i].InstanceId)
	}
	return slices.Compact(names), nil
}

// completions are the most things that a shell is offered.
const completions = 500
