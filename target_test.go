package orderly_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
)

func ids(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("mi-%d", i)
	}
	return list
}

func tags(n int) []orderly.Tag {
	list := make([]orderly.Tag, n)
	for i := range list {
		list[i].Key = fmt.Sprintf("k%d", i)
	}
	return list
}

func TestTargetForm(t *testing.T) {
	tests := []struct {
		rule   string
		target orderly.Target
		err    error
	}{
		{"TGT-1, one", orderly.Target{Instances: ids(1)}, nil},
		{"TGT-1, both kinds", orderly.Target{Instances: []string{"i-1", "mi-1"}}, nil},
		{"TGT-1, 100", orderly.Target{Instances: ids(100)}, nil},
		{"TGT-1, 101", orderly.Target{Instances: ids(101)}, orderly.TargetsTooMany},
		{"TGT-1, none", orderly.Target{}, orderly.TargetMissing},
		{"TGT-1, an empty one", orderly.Target{Instances: []string{"mi-1", ""}}, orderly.TargetMissing},
		{"TGT-3, one tag", orderly.Target{Tags: tags(1)}, nil},
		{"TGT-3, 20 tags", orderly.Target{Tags: tags(20)}, nil},
		{"TGT-3, 21 tags", orderly.Target{Tags: tags(21)}, orderly.TargetTagsTooMany},
		{"TGT-3, both", orderly.Target{Instances: ids(1), Tags: tags(1)}, orderly.TargetTagsConflict},
		{"TGT-3, no key", orderly.Target{Tags: []orderly.Tag{{Value: "v"}}}, orderly.TargetTagKeyMissing},
		{"TGT-3, key of 65", orderly.Target{Tags: []orderly.Tag{{Key: chars(65)}}}, orderly.TargetTagKeyMalformed},
		{"TGT-3, value of 129", orderly.Target{Tags: []orderly.Tag{{Key: "k", Value: chars(129)}}}, orderly.TargetTagValueMalformed},
		{"TGT-3, same key", orderly.Target{Tags: []orderly.Tag{{"k", "1"}, {"k", "2"}}}, orderly.TargetTagKeyDuplicate},
		{"TGT-7, all", orderly.Target{Tags: []orderly.Tag{{Key: orderly.AllTag}}}, nil},
		{"TGT-7, all and more", orderly.Target{Tags: []orderly.Tag{{Key: orderly.AllTag}, {"env", "prod"}}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			if err := tt.target.Check(100, 20); !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Errorf("Check = %v, want %v", err, tt.err)
			}
		})
	}
}

func TestDuplicateTargetsCollapse(t *testing.T) { // TGT-2
	given := []string{"mi-2", "mi-1", "mi-2", "mi-3", "mi-1"}
	target := orderly.Target{Instances: given}
	if err := target.Check(100, 20); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"mi-2", "mi-1", "mi-3"}, target.Instances); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"mi-2", "mi-1", "mi-2", "mi-3", "mi-1"}, given); diff != "" {
		t.Errorf("the caller's list changed:\n%s", diff)
	}
}

func TestTargetAll(t *testing.T) { // TGT-7
	tests := []struct {
		tags []orderly.Tag
		want bool
	}{
		{nil, false},
		{[]orderly.Tag{{"env", "prod"}}, false},
		{[]orderly.Tag{{orderly.AllTag, ""}}, true},
		{[]orderly.Tag{{"env", "prod"}, {orderly.AllTag, ""}}, true},
		{[]orderly.Tag{{orderly.AllTag, "x"}}, false},
	}
	for _, tt := range tests {
		if got := (orderly.Target{Tags: tt.tags}).All(); got != tt.want {
			t.Errorf("All of %v = %t, want %t", tt.tags, got, tt.want)
		}
	}
}

func TestTags(t *testing.T) { // TGT-5, TGT-7
	one := func(key, value string) []orderly.Tag { return []orderly.Tag{{Key: key, Value: value}} }
	tests := []struct {
		name string
		tags []orderly.Tag
		err  error
	}{
		{"none", nil, nil},
		{"20", tags(20), nil},
		{"21", tags(21), orderly.TagsTooMany},
		{"no key", one("", "v"), orderly.TagKeyMissing},
		{"key of 64", one(chars(64), ""), nil},
		{"key of 65", one(chars(65), ""), orderly.TagKeyMalformed},
		{"aliyun", one("aliyun", ""), orderly.TagKeyMalformed},
		{"acs:", one("acs:x", ""), orderly.TagKeyMalformed},
		{"acs without a colon", one("acsx", ""), nil},
		{"http in the key", one("xhttp://", ""), orderly.TagKeyMalformed},
		{"https in the key", one("https://x", ""), orderly.TagKeyMalformed},
		{"control in the key", one("a\x00", ""), orderly.TagKeyMalformed},
		{"empty value", one("k", ""), nil},
		{"value of 128", one("k", chars(128)), nil},
		{"value of 129", one("k", chars(129)), orderly.TagValueMalformed},
		{"http in the value", one("k", "http://x"), orderly.TagValueMalformed},
		{"https in the value", one("k", "see https://x"), orderly.TagValueMalformed},
		{"value like a reserved key", one("k", "acs:x"), nil},
		{"same key", []orderly.Tag{{"k", "1"}, {"k", "1"}}, orderly.TagKeyDuplicate},
		{"keys that differ in case", []orderly.Tag{{"k", ""}, {"K", ""}}, nil},
		{"the built-in tag", one(orderly.AllTag, ""), orderly.TagKeyMalformed},
		{"another of its kind", one("orderly:mine", "x"), orderly.TagKeyMalformed},
		{"orderly without a colon", one("orderly", "x"), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := orderly.CheckTags(tt.tags); !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Errorf("CheckTags = %v, want %v", err, tt.err)
			}
		})
	}
}

func TestResourceGroups(t *testing.T) { // TGT-4
	for id, want := range map[string]error{
		"": nil, "rg-1": nil, "rg-acfmxazb4ph6aiy": nil, "rg-" + strings.Repeat("a", 61): nil,
		"rg-" + strings.Repeat("a", 62): orderly.ResourceGroupUnknown, "rg-": orderly.ResourceGroupUnknown, "group": orderly.ResourceGroupUnknown,
		"rg-a b": orderly.ResourceGroupUnknown, "rg-1\n": orderly.ResourceGroupUnknown,
	} {
		if err := orderly.CheckResourceGroup(id); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("CheckResourceGroup(%q) = %v, want %v", id, err, want)
		}
	}
}

// sound reports whether a tag keeps to TGT-5 and TGT-3, said in other words than the code's.
func sound(g orderly.Tag) bool {
	size := func(s string) int { return len([]rune(s)) }
	for _, s := range []string{g.Key, g.Value} {
		if strings.Contains(s, "http://") || strings.Contains(s, "https://") || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			return false
		}
	}
	return size(g.Key) >= 1 && size(g.Key) <= 64 && size(g.Value) <= 128 &&
		!strings.HasPrefix(g.Key, "aliyun") && !strings.HasPrefix(g.Key, "acs:")
}

// TGT-3, TGT-5, TGT-7: tags that pass keep to the rules, and no tag has two readings.
func FuzzTags(f *testing.F) {
	f.Add("k", "v", "orderly:all", "")
	f.Add("acs:x", "", "aliyun", "https://x")
	f.Add("", "v", "k\x00", "\xff")
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string) {
		list := []orderly.Tag{{Key: key1, Value: value1}, {Key: key2, Value: value2}}
		target := orderly.Target{Tags: list}
		own, selecting := orderly.CheckTags(list), target.Check(100, 20)
		if selecting == nil && (!sound(list[0]) || !sound(list[1]) || key1 == key2) {
			t.Errorf("%q selects", list)
		}
		reserved := strings.HasPrefix(key1, "orderly:") || strings.HasPrefix(key2, "orderly:")
		if (own == nil) != (selecting == nil && !reserved) {
			t.Errorf("%q: to set %v, to select by %v", list, own, selecting)
		}
		if all := target.All(); all != (list[0] == orderly.Tag{Key: orderly.AllTag} || list[1] == orderly.Tag{Key: orderly.AllTag}) {
			t.Errorf("%q selects all: %t", list, all)
		}
	})
}
