package orderly

import (
	"regexp"
	"slices"
)

// AllTag is the built-in tag that every instance carries, with an empty value (rule TGT-7).
const AllTag = "orderly:all"

// A Target says which instances an invocation is for: a list of IDs, or tags that all must match.
type Target struct {
	Instances []string
	Tags      []Tag
}

// All reports whether t names the built-in tag, whose own limit holds then (rule TGT-7). With a
// value that tag selects nothing.
func (t Target) All() bool {
	return slices.ContainsFunc(t.Tags, func(g Tag) bool { return g == Tag{Key: AllTag} })
}

// Check finds what is wrong with a target's form, as a Reason, and collapses duplicates
// (rules TGT-1 to TGT-3). maxIDs and maxTags are the dialect's limits.
func (t *Target) Check(maxIDs, maxTags int) error {
	switch {
	case len(t.Instances) > 0 && len(t.Tags) > 0:
		return TargetTagsConflict
	case len(t.Tags) > maxTags:
		return TargetTagsTooMany
	case len(t.Instances) > maxIDs:
		return TargetsTooMany
	case len(t.Instances)+len(t.Tags) == 0:
		return TargetMissing
	}
	if slices.Contains(t.Instances, "") {
		return TargetMissing
	}
	t.Instances = unique(t.Instances)
	return checkTags(t.Tags, maxTagKey, tagReasons{TargetTagKeyMissing, TargetTagKeyMalformed, TargetTagValueMalformed, TargetTagKeyDuplicate})
}

func unique(ids []string) []string {
	seen := make(map[string]bool, len(ids))
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		again := seen[id]
		seen[id] = true
		return again
	})
}

var resourceGroup = regexp.MustCompile(`^rg-[0-9A-Za-z]{1,61}$`)

// CheckResourceGroup finds whether a resource group exists. There is no place where groups are
// made, so one exists by being named (rule TGT-4); what cannot be the ID of one is unknown. The
// default group is "".
func CheckResourceGroup(id string) error {
	if id != "" && !resourceGroup.MatchString(id) {
		return ResourceGroupUnknown
	}
	return nil
}
