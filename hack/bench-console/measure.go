package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/orderly-run/orderly/internal/client"
)

// A large is the command that runs on all machines, with what pages of it need.
type large struct {
	id       string
	instance string // a machine that it runs on
	ordinal  string // of a machine whose output others have too
	after    string // place in the fleet
	busiest  string // the machine of hack/load that takes part in every invocation
	schedule string // an invocation that repeats
}

// measure takes all figures that are wanted.
func (b *bench) measure(ctx context.Context) error {
	p := &place{dir: filepath.Join(b.dir, "server"), bin: filepath.Join(b.dir, "bin"), db: b.db}
	if p.db == "" {
		p.db = filepath.Join(p.dir, "orderly.db")
	}
	if err := build(ctx, p.bin); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(p.dir, "access-key.json")); err != nil {
		if err := b.fill(ctx, p); err != nil {
			return err
		}
	}
	if !b.wants("pages") && !b.wants("live") {
		return nil
	}
	if err := p.open(ctx); err != nil {
		return err
	}
	defer p.close()
	stop, err := b.fleet(ctx, p)
	if err != nil {
		return err
	}
	defer stop()
	c, command, err := b.prepare(ctx, p)
	if err != nil {
		return err
	}
	v, err := p.visitor(ctx)
	if err != nil {
		return err
	}
	if b.Assets, err = v.assets(ctx); err != nil {
		return err
	}
	if err := b.looks(ctx, v, livePages(c)); err != nil {
		return err
	}
	if b.wants("live") {
		if err := b.live(ctx, p, v, c); err != nil {
			return err
		}
	}
	if _, err := p.api.WaitInvocation(ctx, c.id, nil); err != nil || !b.wants("pages") {
		return err
	}
	return b.looks(ctx, v, pages(c, p.key.AccessKeyID, command))
}

// long is how long the large command takes on each machine: the live page is watched meanwhile.
func (b *bench) long() time.Duration {
	if b.wants("live") {
		return 2*b.Watch + 30*time.Second
	}
	return 20 * time.Second
}

// fleet connects the machines.
func (b *bench) fleet(ctx context.Context, p *place) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := p.command(ctx, "orderly", "sim", "--agents", strconv.Itoa(b.Instances), "--delay", b.long().String(), "--output", strconv.Itoa(b.Output),
		"--alike="+strconv.FormatBool(b.Alike), "--fail", "5")
	said, err := cmd.StdoutPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	stop = func() {
		cancel()
		_ = cmd.Wait() // it was ended
	}
	lines := bufio.NewScanner(said)
	if !lines.Scan() {
		stop()
		return nil, errors.New("the simulated machines did not connect")
	}
	fmt.Fprintln(os.Stderr, lines.Text())
	go func() { _, _ = io.Copy(io.Discard, said) }() // its last words
	return stop, nil
}

// prepare keeps a command, starts the large one and waits until it runs everywhere.
func (b *bench) prepare(ctx context.Context, p *place) (c *large, command string, err error) {
	c = &large{ordinal: "1"}
	var kept struct{ CommandId string }
	for i := range 60 { // a full page of them
		if err := p.api.Call(ctx, "CreateCommand", map[string]string{"RegionId": region, "Name": fmt.Sprint("report-", i), "Type": "RunShellScript",
			"ContentEncoding": "PlainText", "CommandContent": "#!/bin/sh\ndf -h {{path}}\n", "EnableParameter": "true"}, &kept); err != nil {
			return nil, "", err
		}
	}
	run, err := p.api.RunCommand(ctx, client.RunCommandRequest{CommandContent: "df -h", ResourceTag: []client.Tag{{Key: "orderly:all"}}, Timeout: 3600})
	if err != nil {
		return nil, "", err
	}
	c.id = run.InvokeId
	err = await(ctx, "the command runs on all machines", func() error { return p.running(ctx, c, b.Instances) })
	if err != nil {
		return nil, "", err
	}
	return c, kept.CommandId, p.places(ctx, c)
}

// running finds a machine that it runs on; it is an error while it does not run on n.
func (p *place) running(ctx context.Context, c *large, n int) error {
	var page struct {
		Invocation struct {
			TotalCount        int
			InvocationResults struct{ InvocationResult []client.InvocationResult }
		}
	}
	err := p.api.Call(ctx, "DescribeInvocationResults", map[string]string{"RegionId": region, "InvokeId": c.id, "InvocationStatus": "Running", "PageSize": "1"}, &page)
	if err == nil && page.Invocation.TotalCount < n {
		err = fmt.Errorf("it does on %d", page.Invocation.TotalCount)
	}
	if err == nil {
		c.instance = page.Invocation.InvocationResults.InvocationResult[0].InstanceId
	}
	return err
}

// places finds what pages are about beside the large command.
func (p *place) places(ctx context.Context, c *large) error {
	var list struct {
		Invocations struct{ Invocation []client.Invocation }
	}
	if err := p.api.Call(ctx, "DescribeInvocations", map[string]string{"RegionId": region, "RepeatMode": "Period", "PageSize": "1"}, &list); err != nil {
		return err
	}
	if len(list.Invocations.Invocation) == 0 {
		return errors.New("nothing repeats: is the database one of hack/load?")
	}
	one := list.Invocations.Invocation[0]
	c.schedule, c.busiest = one.InvokeId, one.InvokeInstances.InvokeInstance[0].InstanceId
	v, err := p.visitor(ctx)
	if err != nil {
		return err
	}
	req, err := v.request(ctx, page{path: "fleet"})
	if err != nil {
		return err
	}
	req.Header.Del("Accept-Encoding")
	resp, err := v.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	_, after, _ := bytes.Cut(text, []byte("fleet?after="))
	c.after, _, _ = strings.Cut(string(after), `"`)
	return err
}

// looks asks for pages in turns.
func (b *bench) looks(ctx context.Context, v *visitor, list []page) error {
	list = slices.DeleteFunc(list, func(p page) bool { return !b.pages.MatchString(p.name) })
	times := make([][]time.Duration, len(list))
	sizes := make([]int, len(list))
	for range b.Runs + 1 {
		for i, p := range list {
			s, err := v.visit(ctx, p)
			if err != nil {
				return err
			}
			times[i] = append(times[i], s.first)
			sizes[i] = max(sizes[i], len(s.body))
		}
	}
	for i, p := range list {
		b.add(p.name, times[i][0], times[i][1:], sizes[i])
	}
	return nil
}

// live measures what the server computes while somebody watches the page of the large command, beside
// what it computes while nobody does, before and after.
func (b *bench) live(ctx context.Context, p *place, v *visitor, c *large) error {
	idle := func() (time.Duration, error) { return p.busy(ctx, b.Watch/2, nil) }
	before, err := idle()
	if err != nil {
		return err
	}
	b.Live = &live{Machines: b.Instances, Seconds: b.Watch.Seconds()}
	watched, err := p.busy(ctx, b.Watch, func(ctx context.Context) error { return v.watch(ctx, "invocations/"+c.id+"/live", b.Live) })
	if err != nil {
		return err
	}
	after, err := idle()
	if err != nil {
		return err
	}
	b.Live.Watched, b.Live.Idle = percent(watched, b.Watch), percent(before+after, b.Watch)
	b.Live.Page = b.Live.Watched - b.Live.Idle
	b.Live.OK = b.Live.Page <= liveLimit
	return p.running(ctx, c, b.Instances) // or it was not what it says
}

func percent(d, of time.Duration) float64 { return 100 * d.Seconds() / of.Seconds() }

// busy is what the server computes in some time, in which something may be done.
func (p *place) busy(ctx context.Context, long time.Duration, do func(context.Context) error) (time.Duration, error) {
	before, err := computed(p.server.Process.Pid)
	if err != nil {
		return 0, err
	}
	limited, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	g, gctx := errgroup.WithContext(limited)
	if do != nil {
		g.Go(func() error { return do(gctx) })
	}
	g.Go(func() error { <-gctx.Done(); return nil })
	if err := g.Wait(); err != nil {
		return 0, err
	}
	after, err := computed(p.server.Process.Pid)
	return after - before, err
}

// watch reads what a live page is sent until the context ends.
func (v *visitor) watch(ctx context.Context, path string, l *live) error {
	req, err := v.request(ctx, page{path: path})
	if err != nil {
		return err
	}
	resp, err := v.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		l.Bytes += len(lines.Bytes()) + 1
		if bytes.HasPrefix(lines.Bytes(), []byte("event: ")) {
			l.Events++
		}
	}
	if err := lines.Err(); ctx.Err() == nil {
		return errors.Join(errors.New("the live page ended"), err)
	}
	return nil
}

func quantile(list []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
