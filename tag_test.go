package orderly_test

import (
	"errors"
	"testing"

	"github.com/orderly-run/orderly"
)

func TestTagsOfResources(t *testing.T) { // TGT-5, TGT-7
	tests := []struct {
		name string
		tags []orderly.Tag
		err  error
	}{
		{"20", tags(20), nil},
		{"21", tags(21), orderly.TagsTooMany},
		{"value without a key", []orderly.Tag{{Value: "v"}}, orderly.TagMismatch},
		{"key of 128", []orderly.Tag{{Key: chars(128)}}, nil},
		{"key of 129", []orderly.Tag{{Key: chars(129)}}, orderly.TagKeyMalformed},
		{"acs:", []orderly.Tag{{Key: "acs:x"}}, orderly.TagKeyMalformed},
		{"aliyun", []orderly.Tag{{Key: "aliyunx"}}, orderly.TagKeyMalformed},
		{"the built-in tag", []orderly.Tag{{Key: orderly.AllTag}}, orderly.TagKeyMalformed},
		{"value of 129", []orderly.Tag{{Key: "k", Value: chars(129)}}, orderly.TagValueMalformed},
		{"same key", []orderly.Tag{{Key: "k"}, {Key: "k", Value: "1"}}, orderly.TagKeyDuplicate},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := orderly.CheckResourceTags(tt.tags); !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Errorf("CheckResourceTags = %v, want %v", err, tt.err)
			}
		})
	}
	for key, want := range map[string]error{"k": nil, chars(128): nil, "": orderly.TagKeyMalformed, chars(129): orderly.TagKeyMalformed, "orderly:x": orderly.TagKeyMalformed} {
		if err := orderly.CheckTagKeys([]string{key}); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("CheckTagKeys of %q = %v, want %v", key, err, want)
		}
	}
}

func TestResourceHoldsTwentyTags(t *testing.T) {
	for _, tt := range []struct {
		name      string
		has, more []orderly.Tag
		err       error
	}{
		{"20 new ones", nil, tags(20), nil},
		{"the last place", tags(19), []orderly.Tag{{Key: "x"}}, nil},
		{"one too many", tags(20), []orderly.Tag{{Key: "x"}}, orderly.TagQuota},
		{"other values of those it has", tags(20), tags(20), nil},
	} {
		if err := orderly.CheckTagQuota(tt.has, tt.more); !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
			t.Errorf("%s: CheckTagQuota = %v, want %v", tt.name, err, tt.err)
		}
	}
}
