package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/orderly-run/orderly/internal/client"
)

// everywhere is the tag that every machine carries (rule TGT-7).
const everywhere = "orderly:all"

// Targets say on which machines something is to run: on those named here and in a file, or on those
// with all of the tags, or on all.
type Targets struct {
	Machines []string // IDs, names, and patterns of names with *, ? and [] in them
	File     string   // with one of those on a line; - for standard input
	Tags     []string // KEY or KEY=VALUE
	All      bool
}

// Given counts the ways in which machines are selected; there must be one.
func (t *Targets) Given() int {
	n := 0
	for _, given := range []bool{len(t.Machines) > 0 || t.File != "", len(t.Tags) > 0, t.All} {
		if given {
			n++
		}
	}
	return n
}

// selected finds the machines that are meant, by their IDs or by tags.
func (s *Session) selected(ctx context.Context, t Targets) (machines []string, tags []client.Tag, err error) {
	if t.All {
		return nil, []client.Tag{{Key: everywhere}}, nil
	}
	for _, tag := range t.Tags {
		tags = append(tags, ParseTag(tag))
	}
	if len(tags) > 0 {
		return nil, tags, nil
	}
	refs := slices.Clone(t.Machines)
	if t.File != "" {
		more, err := s.targetsIn(t.File)
		if err != nil {
			return nil, nil, err
		}
		refs = append(refs, more...)
	}
	machines, err = s.named(ctx, refs)
	return machines, nil, err
}

// targetsIn reads a file with a machine on each line; what is behind a # is not read.
func (s *Session) targetsIn(path string) ([]string, error) {
	text, err := readFile(path, s.In)
	if err != nil {
		return nil, &Exit{Refused, Advise(err, "give a file with the ID, the name or a pattern of names on each line, or - for standard input")}
	}
	var refs []string
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = strings.TrimSpace(line); line != "" {
			refs = append(refs, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(refs) == 0 {
		return nil, &Exit{Refused, Advise(fmt.Errorf("there is no machine in %s", path), "write the ID, the name or a pattern of names on each line")}
	}
	return refs, nil
}

// few are so many names that they are asked for one by one.
const few = 20

// named are the IDs of machines given by IDs, names and patterns, in that order and each once. A name
// that two machines have is refused, for one of them may not be meant.
func (s *Session) named(ctx context.Context, refs []string) ([]string, error) {
	var found []string
	var all []client.ManagedInstance
	if names := slices.DeleteFunc(slices.Clone(refs), isInstanceID); len(names) > few || slices.ContainsFunc(names, isPattern) {
		list, err := s.fleet(ctx, Fleet{})
		if err != nil {
			return nil, err
		}
		all = list.Items
	}
	for _, ref := range refs {
		these, err := s.matching(ctx, ref, all)
		if err != nil {
			return nil, err
		}
		for _, id := range these {
			if !slices.Contains(found, id) {
				found = append(found, id)
			}
		}
	}
	return found, nil
}

// matching are the IDs of the machines that one ID, name or pattern means; all are the machines, if they
// are known already.
func (s *Session) matching(ctx context.Context, ref string, all []client.ManagedInstance) ([]string, error) {
	switch {
	case isInstanceID(ref): // the server looks whether it exists
		return []string{ref}, nil
	case all == nil:
		one, err := s.instance(ctx, ref)
		if err != nil {
			return nil, err
		}
		return []string{one.Items[0].InstanceId}, nil
	}
	if _, err := path.Match(ref, ""); err != nil {
		return nil, &Exit{Refused, Advise(fmt.Errorf("%q is no pattern of names", ref), "* stands for any text, ? for one character, [a-c] for one of some")}
	}
	these := slices.DeleteFunc(slices.Clone(all), func(i client.ManagedInstance) bool { ok, _ := path.Match(ref, i.InstanceName); return !ok })
	switch {
	case len(these) == 0:
		return nil, &Exit{Refused, Advise(fmt.Errorf("there is no machine %s", ref), "see which ones there are: orderly instance list")}
	case len(these) > 1 && !isPattern(ref):
		return nil, &Exit{Refused, ambiguous(ref, these)}
	}
	return ids(these, func(i *client.ManagedInstance) string { return i.InstanceId }), nil
}

// confirmAll asks, when somebody is there, before something is run on all machines, and says how many
// these are.
func (s *Session) confirmAll(ctx context.Context) error {
	if !s.Ask || s.Yes {
		return nil
	}
	total, err := s.total(ctx, "")
	if err != nil {
		return err
	}
	there, err := s.total(ctx, "true")
	if err != nil {
		return err
	}
	if total == 0 {
		return nil // which the server refuses better
	}
	return s.confirm(fmt.Sprintf("run on all %d machines (%d connected)", total, there))
}

// total counts machines.
func (s *Session) total(ctx context.Context, connected string) (int, error) {
	var resp struct{ TotalCount int }
	q := struct {
		Connected  string
		PageNumber int
		PageSize   int
	}{connected, 1, 1}
	if err := s.api.Call(ctx, "DescribeManagedInstances", q, &resp); err != nil {
		return 0, refused(ctx, err)
	}
	return resp.TotalCount, nil
}

// Check finds what is wrong with targets before anybody is called.
func (t *Targets) Check() error {
	switch n := t.Given(); {
	case n == 0:
		return Advise(errors.New("say where to run it: either --all or --instance ID"),
			"--instance also takes names and patterns such as 'web-*'; --tag KEY=VALUE and --targets FILE select machines, too")
	case n > 1:
		return Advise(errors.New("machines are selected in more than one way"), "give one of --all, --tag and --instance; --targets goes with --instance")
	}
	return nil
}
