package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orderly-run/orderly/internal/client"
)

// When the progress is shown.
const (
	quiet   = 300 * time.Millisecond // what ends sooner needs none
	between = 100 * time.Millisecond
	slow    = time.Second      // between counts that have to be asked for
	plainly = 10 * time.Second // between lines where there is no terminal
)

// A tally counts machines by what became of them.
type tally struct{ Succeeded, Failed, Running, Live int } // Live counts those that have not ended, with those running

func (t *tally) add(status string) {
	switch status {
	case "Success":
		t.Succeeded++
	case "Running", "Stopping":
		t.Running++
		t.Live++
	case "Pending", "Scheduled":
		t.Live++
	default:
		t.Failed++
	}
}

func (t tally) total() int { return t.Succeeded + t.Failed + t.Live }

func (t tally) ended() int { return t.Succeeded + t.Failed }

// A progress tells how far an invocation is: on a terminal by lines that are drawn again, elsewhere by
// a line now and then.
type progress struct {
	session *Session
	id      string
	screen  screen
	start   time.Time
	due     time.Time // of the next showing
	last    tally
	large   bool // it does not show all its machines: they have to be asked for
	pace    pace
	names   map[string]string // of machines that were named, by ID
}

func (s *Session) newProgress(id string, start time.Time) *progress {
	now := time.Now()
	p := &progress{session: s, id: id, screen: screen{out: s.Err, size: s.size}, start: start, due: now.Add(quiet), names: map[string]string{}}
	if !s.Progress {
		p.due = now.Add(plainly)
	}
	return p
}

// follow waits for the end of an invocation and shows the progress since a start.
func (s *Session) follow(ctx context.Context, id string, start time.Time) (*client.Invocation, error) {
	p := s.newProgress(id, start)
	inv, err := s.api.WaitInvocation(ctx, id, func(inv *client.Invocation) { p.update(ctx, inv) })
	p.screen.clear()
	return inv, err
}

// meanwhile says on a terminal what is waited for, when do takes a while.
func (s *Session) meanwhile(what string, do func() error) error {
	if !s.Progress {
		return do()
	}
	done, said := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(said)
		timer := time.NewTimer(quiet)
		defer timer.Stop()
		select {
		case <-timer.C:
			_, _ = fmt.Fprint(s.Err, what+" …")
			<-done
			_, _ = fmt.Fprint(s.Err, "\r\x1b[K")
		case <-done:
		}
	}()
	err := do()
	close(done)
	<-said
	return err
}

// A standing is where an invocation stands.
type standing struct {
	tally
	running []client.InvokeInstance // those that run, unless they are too many to ask for
}

// update shows the progress again, now and then.
func (p *progress) update(ctx context.Context, inv *client.Invocation) {
	list := inv.InvokeInstances.InvokeInstance
	p.large = p.large || len(list) >= embedded
	if inv.Ended() || time.Now().Before(p.due) {
		return
	}
	var at standing
	if !p.large {
		at = standingOf(list)
		p.due = time.Now().Add(between)
	} else {
		var err error
		if at, err = p.session.standing(ctx, inv.InvokeId); err != nil {
			return // the wait itself finds out what is wrong
		}
		p.due = time.Now().Add(slow)
	}
	now := time.Now()
	p.pace.add(now, at.ended())
	if !p.session.Progress {
		p.due = now.Add(plainly)
		if at.tally != p.last {
			p.session.note("%s", p.line(at.tally, now))
		}
		p.last = at.tally
		return
	}
	p.screen.draw(p.lines(ctx, &at, now))
}

func standingOf(list []client.InvokeInstance) (at standing) {
	for i := range list {
		at.add(list[i].InvocationStatus)
		if list[i].InvocationStatus == "Running" {
			at.running = append(at.running, list[i])
		}
	}
	return at
}

// line is the progress on one line.
func (p *progress) line(t tally, now time.Time) string {
	text := fmt.Sprintf("%s: %d of %s done, %d failed, %d running, %d waiting after %s", p.id, t.ended(), machines(t.total()), t.Failed, t.Running, t.Live-t.Running,
		lasting(now.Sub(p.start)))
	if left, ok := p.pace.left(t.Live); ok {
		text += ", about " + lasting(left) + " left"
	}
	return text
}

// lines are the progress on a terminal.
func (p *progress) lines(ctx context.Context, at *standing, now time.Time) []string {
	s := p.session
	width, _ := s.size()
	counts := []string{s.paintErr(green, fmt.Sprintf("%d succeeded", at.Succeeded))}
	if at.Failed > 0 {
		counts = append(counts, s.paintErr(red, fmt.Sprintf("%d failed", at.Failed)))
	}
	counts = append(counts, s.paintErr(yellow, fmt.Sprintf("%d running", at.Running)), fmt.Sprintf("%d waiting", at.Live-at.Running))
	times := p.id + "  " + lasting(now.Sub(p.start))
	if rate := p.pace.rate(); rate > 0 {
		times += fmt.Sprintf("  %s ended per second", decimal(rate))
	}
	if left, ok := p.pace.left(at.Live); ok {
		times += "  about " + lasting(left) + " left"
	}
	lines := []string{p.bar(at.tally, min(width-20, 60)), strings.Join(counts, "  "), times}
	if slowest := p.slowest(ctx, at.running, now); slowest != "" {
		lines = append(lines, slowest)
	}
	return lines
}

// bar is drawn in proportion: what succeeded, failed, runs and waits. What there is takes a place at
// least.
func (p *progress) bar(t tally, width int) string {
	total, width := max(1, t.total()), max(10, width)
	part := func(n int) int {
		if n == 0 {
			return 0
		}
		return max(1, n*width/total)
	}
	good, bad, running := part(t.Succeeded), part(t.Failed), part(t.Running)
	for good+bad+running > width { // the largest gives the places for the small ones
		switch {
		case good >= bad && good >= running:
			good--
		case running >= bad:
			running--
		default:
			bad--
		}
	}
	switch t.Live { // what no machine waits for is filled
	case 0:
		good = width - bad
	case t.Running:
		running = width - good - bad
	}
	s := p.session
	return "[" + s.paintErr(green, strings.Repeat("█", good)) + s.paintErr(red, strings.Repeat("█", bad)) +
		s.paintErr(yellow, strings.Repeat("▒", running)) + strings.Repeat("·", width-good-bad-running) +
		fmt.Sprintf("] %d of %d", t.ended(), t.total())
}

const (
	slowestShown = 3
	slowAfter    = 2 * time.Second // until then none is slow
)

// slowest names those that have run for longest.
func (p *progress) slowest(ctx context.Context, running []client.InvokeInstance, now time.Time) string {
	slices.SortStableFunc(running, func(a, b client.InvokeInstance) int { return strings.Compare(a.StartTime, b.StartTime) })
	running = running[:min(slowestShown, len(running))]
	if len(running) == 0 || now.Sub(moment(running[0].StartTime)) < slowAfter {
		return ""
	}
	var unnamed, parts []string
	for i := range running {
		if p.names[running[i].InstanceId] == "" {
			unnamed = append(unnamed, running[i].InstanceId)
		}
	}
	if len(unnamed) > 0 {
		names, err := p.session.names(ctx, unnamed)
		if err != nil {
			return ""
		}
		for _, id := range unnamed {
			p.names[id] = nameOf(id, names)
		}
	}
	for i := range running {
		parts = append(parts, cellText(p.names[running[i].InstanceId])+" "+lasting(now.Sub(moment(running[i].StartTime))))
	}
	return "slowest: " + strings.Join(parts, ", ")
}

// paintErr is paint for what goes to Err.
func (s *Session) paintErr(colour, text string) string {
	if !s.Progress || s.Plain {
		return text
	}
	return colour + text + reset
}

func decimal(n float64) string {
	if n < 10 {
		return fmt.Sprintf("%.1f", n)
	}
	return fmt.Sprintf("%.0f", n)
}

// standing asks how many machines are in which state, for invocations that do not show all of theirs,
// and which ones run when these are few. It asks in the order in which machines go through the states:
// one that goes on meanwhile is counted twice then, and none is taken for failed because it was missed.
func (s *Session) standing(ctx context.Context, id string) (standing, error) {
	states := []string{"Pending", "Scheduled", "Running", "Stopping", "Success", ""}
	n := make([]int, len(states))
	for i, state := range states {
		page, err := s.page(ctx, resultsRequest{InvokeId: id, InvocationStatus: state, PageNumber: 1, PageSize: 1})
		if err != nil {
			return standing{}, err
		}
		n[i] = page.TotalCount
	}
	succeeded, total := n[4], n[5]
	live := min(n[0]+n[1]+n[2]+n[3], total-succeeded)
	at := standing{tally: tally{Succeeded: succeeded, Failed: total - succeeded - live, Running: min(n[2]+n[3], live), Live: live}}
	if n[2] == 0 || n[2] > pageSize {
		return at, nil
	}
	page, err := s.page(ctx, resultsRequest{InvokeId: id, InvocationStatus: "Running", PageNumber: 1, PageSize: pageSize})
	for _, r := range page.InvocationResults.InvocationResult {
		at.running = append(at.running, client.InvokeInstance{InstanceId: r.InstanceId, InvocationStatus: r.InvocationStatus, StartTime: r.StartTime})
	}
	return at, err
}

// A pace reckons from what ended lately how long the rest takes.
type pace struct{ seen []count }

type count struct {
	at    time.Time
	ended int
}

const lately = 10 * time.Second

func (p *pace) add(now time.Time, ended int) {
	p.seen = append(p.seen, count{now, ended})
	for len(p.seen) > 2 && now.Sub(p.seen[1].at) > lately {
		p.seen = p.seen[1:]
	}
}

// rate is how many end in a second.
func (p *pace) rate() float64 {
	if len(p.seen) < 2 {
		return 0
	}
	first, last := p.seen[0], p.seen[len(p.seen)-1]
	return float64(last.ended-first.ended) / max(last.at.Sub(first.at).Seconds(), 0.001)
}

// left is how long so many take to end, if nothing changes; false when nobody can say.
func (p *pace) left(live int) (time.Duration, bool) {
	rate := p.rate()
	if rate <= 0 || live == 0 {
		return 0, false
	}
	return max(time.Second, time.Duration(float64(live)/rate*float64(time.Second)).Round(time.Second)), true
}
