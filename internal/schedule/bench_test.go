package schedule_test

import (
	"testing"
	"time"

	"github.com/orderly-run/orderly/internal/schedule"
)

var expressions = []struct{ name, text string }{
	{"rate", "rate(5m)"},
	{"at", "at(2026-06-06 13:15:30)"},
	{"second", "* * * * * ?"},
	{"daily", "0 30 9 ? * MON-FRI"},
	{"zone", "0 30 9 ? * MON-FRI Europe/Berlin"},
	{"leap", "0 0 0 ? 2 7#5 * Europe/Berlin"}, // 28 years apart
	{"never", "0 0 0 31 2 ? * Europe/Berlin"},
}

func BenchmarkParse(b *testing.B) {
	for _, c := range expressions {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := schedule.Parse(c.text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNext(b *testing.B) {
	created := at(b, "2026-01-01T00:00:00Z")
	for _, c := range expressions {
		b.Run(c.name, func(b *testing.B) {
			e := parse(b, c.text)
			b.ReportAllocs()
			after := created
			for b.Loop() {
				next, ok := e.Next(after, created, time.UTC)
				if after = next; !ok {
					after = created
				}
			}
		})
	}
}

func BenchmarkCheckTimeout(b *testing.B) {
	from := at(b, "2026-01-01T00:00:00Z")
	e := parse(b, "0/10 * * * * ? Europe/Berlin") // all of the 1000 times
	b.ReportAllocs()
	for b.Loop() {
		if err := e.CheckTimeout(10*time.Second, from); err != nil {
			b.Fatal(err)
		}
	}
}
