package orderly

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// reservedTags is the prefix of keys that no one can set (rule TGT-7).
const reservedTags = "orderly:"

// Sizes of tags, in characters, and their numbers (rule TGT-5).
const (
	maxTags        = 20  // in one request, and on one resource
	maxTagKey      = 64  // set or filtered by with anything else than the operations for tags
	maxResourceKey = 128 // with those
	maxTagValue    = 128
)

type tagReasons struct{ missing, key, value, duplicate Reason }

// CheckTags finds what is wrong with tags that something is made with or filtered by (rule TGT-5).
func CheckTags(tags []Tag) error {
	return checkOwnTags(tags, maxTagKey, TagKeyMissing)
}

// CheckResourceTags is CheckTags for the operations that are about tags: their keys may be longer,
// and a tag without one is a value that belongs to none.
func CheckResourceTags(tags []Tag) error {
	return checkOwnTags(tags, maxResourceKey, TagMismatch)
}

// CheckTagKeys finds what is wrong with the keys of tags to remove.
func CheckTagKeys(keys []string) error {
	tags := make([]Tag, len(keys))
	for i, k := range keys {
		tags[i].Key = k
	}
	return checkOwnTags(tags, maxResourceKey, TagKeyMalformed)
}

func checkOwnTags(tags []Tag, maxKey int, missing Reason) error {
	if len(tags) > maxTags {
		return TagsTooMany
	}
	for _, t := range tags {
		if strings.HasPrefix(t.Key, reservedTags) {
			return TagKeyMalformed
		}
	}
	return checkTags(tags, maxKey, tagReasons{missing, TagKeyMalformed, TagValueMalformed, TagKeyDuplicate})
}

func checkTags(tags []Tag, maxKey int, r tagReasons) error {
	seen := map[string]bool{}
	for _, t := range tags {
		switch {
		case t.Key == "":
			return r.missing
		case utf8.RuneCountInString(t.Key) > maxKey || hasControl(t.Key) || hasURL(t.Key) ||
			strings.HasPrefix(t.Key, "aliyun") || strings.HasPrefix(t.Key, "acs:"):
			return r.key
		case utf8.RuneCountInString(t.Value) > maxTagValue || hasControl(t.Value) || hasURL(t.Value):
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

// CheckTagQuota finds whether a resource that has some tags can take more. One whose key it has
// already changes its value and takes no further place.
func CheckTagQuota(has, more []Tag) error {
	n := len(has)
	for _, t := range more {
		if !slices.ContainsFunc(has, func(h Tag) bool { return h.Key == t.Key }) {
			n++
		}
	}
	if n > maxTags {
		return TagQuota
	}
	return nil
}
