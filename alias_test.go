package orderly_test

import (
	"regexp"
	"testing"

	"pgregory.net/rapid"

	"github.com/orderly-run/orderly"
)

var alias = regexp.MustCompile(`^[0-9a-f]{32}$`)

// ID-4: every instance has another name of 32 hexadecimal digits, by which it is found in its region.
func TestInstancesHaveASecondName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seq := rapid.Int64Range(0, 1<<62-1+1<<62).Draw(t, "seq")
		region := rapid.SampledFrom([]string{"cn-hangzhou", "cn-beijing", "eu-central-1"}).Draw(t, "region")
		id := orderly.NewID(orderly.InstancePrefix, region, seq)
		if len(id) > len("mi-hz0000000000000") {
			return // past the year 60000
		}
		name := orderly.Alias(id)
		if !alias.MatchString(name) {
			t.Fatalf("%s is also named %q", id, name)
		}
		if got := orderly.OfAlias(name, region); got != id {
			t.Errorf("%s, named %s, is found as %s", id, name, got)
		}
		at := rapid.IntRange(0, 31).Draw(t, "at")
		other := name[:at] + string("0123456789abcdef"[(int(name[at])+1)%16]) + name[at+1:]
		if got := orderly.OfAlias(other, region); other != name && got != other {
			t.Errorf("%s, a slip of %s, is %s", other, name, got)
		}
	})
}

func TestOtherNamesStay(t *testing.T) { // ID-4
	for _, name := range []string{
		"", "mi-1", "mi-unknown", "t-hz0000000000001", "i-bp10000000000001", "mi-hz0", "mi-hz0-00000000001", "mi-hz000000000000!",
	} {
		if got := orderly.Alias(name); got != name {
			t.Errorf("%q is also named %s", name, got)
		}
	}
	known := orderly.Alias(orderly.NewID(orderly.InstancePrefix, "cn-hangzhou", 7))
	for _, name := range []string{"", "mi-1", known[1:], known + "0", "ace0706b2ac4454d984295a94213aaaa", "ACE0706B2AC4454D984295A94213AAAA", "é"} {
		if got := orderly.OfAlias(name, "cn-hangzhou"); got != name {
			t.Errorf("%q is found as %s", name, got)
		}
	}
	if got := orderly.OfAlias(known, "cn-beijing"); got == orderly.NewID(orderly.InstancePrefix, "cn-hangzhou", 7) {
		t.Errorf("%s is found in another region", known)
	}
}
