package orderly

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// AllTag is the built-in tag that every instance carries, with an empty value (rule TGT-7).
const AllTag = "orderly:all"

// reservedTags is the prefix of keys that no one can set (rule TGT-7).
const reservedTags = "orderly:"

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
	return checkTags(t.Tags, tagReasons{TargetTagKeyMissing, TargetTagKeyMalformed, TargetTagValueMalformed, TargetTagKeyDuplicate})
}

func unique(ids []string) []string {
	seen := make(map[string]bool, len(ids))
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		again := seen[id]
		seen[id] = true
		return again
	})
}

// maxTags is how many tags one request may carry (rule TGT-5).
const maxTags = 20

type tagReasons struct{ missing, key, value, duplicate Reason }

// CheckTags finds what is wrong with tags that are set on a resource or filtered by (rule TGT-5).
func CheckTags(tags []Tag) error {
	if len(tags) > maxTags {
		return TagsTooMany
	}
	for _, t := range tags {
		if strings.HasPrefix(t.Key, reservedTags) {
			return TagKeyMalformed
		}
	}
	return checkTags(tags, tagReasons{TagKeyMissing, TagKeyMalformed, TagValueMalformed, TagKeyDuplicate})
}

func checkTags(tags []Tag, r tagReasons) error {
	seen := map[string]bool{}
	for _, t := range tags {
		switch {
		case t.Key == "":
			return r.missing
		case utf8.RuneCountInString(t.Key) > 64 || hasControl(t.Key) || hasURL(t.Key) ||
			strings.HasPrefix(t.Key, "aliyun") || strings.HasPrefix(t.Key, "acs:"):
			return r.key
		case utf8.RuneCountInString(t.Value) > 128 || hasControl(t.Value) || hasURL(t.Value):
			return r.value
		case seen[t.Key]:
			return r.duplicate
		}
		seen[t.Key] = true
	}
	return nil
}

func hasURL(s string) bool {
	return strings.Contains(s, "http://") || strings.Contains(s, "https://")
}
