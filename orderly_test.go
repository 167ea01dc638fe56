package orderly_test

import (
	"regexp"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/orderly-run/orderly"
)

func TestIDShape(t *testing.T) { // ID-1, ID-2, ID-5
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixMilli() << 20
	tests := []struct {
		prefix, region string
		seq            int64
		want           string
	}{
		{orderly.CommandPrefix, "cn-hangzhou", now, "c-hz0"},
		{orderly.InvocationPrefix, "cn-shanghai", now, "t-sh0"},
		{orderly.InstancePrefix, "cn-beijing", now, "mi-bj0"},
		{"t", "local", now, "t-lo0"},
		{"t", "eu-1", now, "t-xx0"},
		{"t", "a", now, "t-ax0"},
		{"t", "", now, "t-xx0"},
		{"t", "EU-WEST", now, "t-xx0"},
		{"t", "cn-hangzhou", 0, "t-hz0000000000000"},
		{"t", "cn-hangzhou", 1, "t-hz0000000000001"},
		{"t", "cn-hangzhou", 35, "t-hz000000000000z"},
	}
	shape := regexp.MustCompile(`^(c|t|mi)-[a-z]{2}0[0-9a-z]{12}$`)
	for _, tt := range tests {
		got := orderly.NewID(tt.prefix, tt.region, tt.seq)
		if !shape.MatchString(got) || got[:len(tt.want)] != tt.want {
			t.Errorf("NewID(%q, %q, %d) = %s, want %s…", tt.prefix, tt.region, tt.seq, got, tt.want)
		}
	}
}

// Two numbers give two IDs, whichever is made first (ID-5).
func TestIDsAreUnique(t *testing.T) {
	shape := regexp.MustCompile(`^t-hz0[0-9a-z]{12}$`)
	last := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()<<20 | 1<<20 - 1
	rapid.Check(t, func(t *rapid.T) {
		made := map[string]int64{}
		for _, seq := range rapid.SliceOfDistinct(rapid.Int64Range(0, last), rapid.ID).Draw(t, "seqs") {
			id := orderly.NewID("t", "cn-hangzhou", seq)
			if other, twice := made[id]; twice || !shape.MatchString(id) {
				t.Fatalf("%d gives %s, as does %d", seq, id, other)
			}
			made[id] = seq
		}
	})
}

func TestMillis(t *testing.T) {
	if got := orderly.Millis(time.Time{}); got != 0 {
		t.Errorf("Millis of no time = %d, want 0", got)
	}
	if got := orderly.FromMillis(0); !got.IsZero() {
		t.Errorf("FromMillis(0) = %s, want no time", got)
	}
	local := time.Date(2026, 3, 1, 13, 0, 0, 123_456_789, time.FixedZone("", 3600))
	got := orderly.FromMillis(orderly.Millis(local))
	if want := time.Date(2026, 3, 1, 12, 0, 0, 123_000_000, time.UTC); got != want {
		t.Errorf("there and back: %s, want %s", got, want)
	}
}
