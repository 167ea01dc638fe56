package console

import (
	"fmt"
	"strings"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// Charts are SVG whose numbers are attributes and whose colours are classes, for no style may stand in
// a page.

const (
	chartWidth  = 600
	chartHeight = 90
)

// A chart is lines over time, with what its ends mean.
type chart struct {
	Width, Height int
	Paths         []curve
	From, To      string
	Top           int
	Label         string // what it shows, for who does not see it
}

// A curve is one line of a chart; an area lies below it when it has one.
type curve struct{ Class, Line, Area string }

// steps draws values at places from 0 to 1, each of which holds until the next one.
func steps(class string, at []float64, values []int, top int) curve {
	var b strings.Builder
	y := func(n int) float64 { return chartHeight - 2 - float64(n)/float64(max(top, 1))*(chartHeight-6) }
	for i := range at {
		if i == 0 {
			fmt.Fprintf(&b, "M%.1f %.1f", at[i]*chartWidth, y(values[i]))
			continue
		}
		fmt.Fprintf(&b, "H%.1f", at[i]*chartWidth)
		if values[i] != values[i-1] {
			fmt.Fprintf(&b, "V%.1f", y(values[i]))
		}
	}
	if len(at) == 0 {
		return curve{Class: class}
	}
	return curve{class, b.String(), fmt.Sprintf("%sV%dH%.1fZ", b.String(), chartHeight, at[0]*chartWidth)}
}

// presence draws how many machines were online.
func presence(list []store.Census, since time.Duration) chart {
	c := chart{Width: chartWidth, Height: chartHeight}
	if len(list) < 2 {
		return c // which is no curve yet
	}
	end := list[len(list)-1].At
	since = min(since, max(5*time.Minute, end.Sub(list[0].At).Round(time.Minute))) // what is known of
	at, online, machines := make([]float64, len(list)), make([]int, len(list)), make([]int, len(list))
	low := list[0].Online
	for i, x := range list {
		at[i] = max(0, 1-end.Sub(x.At).Seconds()/since.Seconds())
		online[i], machines[i] = x.Online, x.Machines
		c.Top, low = max(c.Top, x.Machines, x.Online), min(low, x.Online)
	}
	c.Paths = []curve{steps("all", at, machines, c.Top), steps("on", at, online, c.Top)}
	c.From, c.To = end.Add(-since).UTC().Format("2 Jan, 15:04"), "now"
	c.Label = fmt.Sprintf("Machines online over the last %s: between %d and %d, now %d of %d", took(since), low, peak(online), online[len(online)-1], machines[len(machines)-1])
	return c
}

func peak(values []int) (most int) {
	for _, n := range values {
		most = max(most, n)
	}
	return most
}

// pace draws how many tasks had started, and how many had ended, over the time of a run.
func pace(started, ended []int, size int, long time.Duration) chart {
	c := chart{Width: chartWidth, Height: chartHeight, Top: size, From: "created", To: took(long)}
	at := make([]float64, len(started)+1)
	for i := range at {
		at[i] = float64(i) / float64(len(started))
	}
	c.Paths = []curve{steps("on", at, append([]int{0}, started...), size), steps("done", at, append([]int{0}, ended...), size)}
	c.Label = fmt.Sprintf("Of %d machines %d had started and %d had ended after %s", size, peak(started), peak(ended), took(long))
	return c
}

// A share is a part of a bar.
type share struct {
	Class, Name string
	N           int
	X, Width    float64 // in hundredths of the bar
}

// bar is how the tasks of an invocation stand, as parts of a whole.
func bar(k orderly.Counts) []share {
	list := []share{
		{Class: "good", Name: "succeeded", N: k.Success}, {Class: "bad", Name: "failed", N: k.Failed + k.Broken},
		{Class: "off", Name: "stopped", N: k.Stopped}, {Class: "live", Name: "running", N: k.Running + k.Stopping},
		{Class: "waiting", Name: "waiting", N: k.Pending + k.Scheduled},
	}
	x, kept := 0.0, list[:0]
	for _, s := range list {
		if s.N == 0 {
			continue
		}
		s.X, s.Width = x, 100*float64(s.N)/float64(max(k.Total(), 1))
		x += s.Width
		kept = append(kept, s)
	}
	return kept
}
