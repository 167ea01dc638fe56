package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// A page is one of the console. What a form asks is a page too.
type page struct {
	name string
	path string     // in the region, unless it begins with a slash
	form url.Values // what it is asked with, if it is a form
}

// A visitor has signed in to the console, as a browser that keeps a connection.
type visitor struct {
	client *http.Client
	base   string // of the server
}

func (p *place) visitor(ctx context.Context) (*visitor, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	v := &visitor{&http.Client{Jar: jar, Transport: &http.Transport{DisableCompression: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}}, p.endpoint}
	_, err = v.visit(ctx, page{name: "sign in", path: "/console/sign-in", form: url.Values{"key": {p.key.AccessKeyID}, "secret": {p.key.AccessKeySecret}}})
	return v, err
}

func (v *visitor) request(ctx context.Context, p page) (*http.Request, error) {
	at := v.base + p.path
	if !strings.HasPrefix(p.path, "/") {
		at = v.base + "/console/in/" + region + "/" + p.path
	}
	method, body := http.MethodGet, io.Reader(nil)
	if p.form != nil {
		method, body = http.MethodPost, strings.NewReader(p.form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, at, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", "gzip")
	req.Header.Set("Origin", v.base)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req, nil
}

// A sight is how one page came.
type sight struct {
	first time.Duration // from the request to the first byte
	body  []byte        // as it travelled
}

// visit asks for a page.
func (v *visitor) visit(ctx context.Context, p page) (s sight, err error) {
	var began time.Time
	req, err := v.request(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:              func(httptrace.GotConnInfo) { began = time.Now() },
		GotFirstResponseByte: func() { s.first = time.Since(began) },
	}), p)
	if err != nil {
		return s, err
	}
	resp, err := v.client.Do(req)
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	if s.body, err = io.ReadAll(resp.Body); err == nil && resp.StatusCode != http.StatusOK && p.name != "no such page" {
		err = fmt.Errorf("%s: %s", req.URL, resp.Status)
	}
	return s, err
}

var asset = regexp.MustCompile(`/console/static/[0-9a-f]+/[^"]+`)

// assets are how many bytes the files are that every page refers to. A browser asks for them once.
func (v *visitor) assets(ctx context.Context) (size int, err error) {
	req, err := v.request(ctx, page{path: "/console/sign-in?next=/"})
	if err != nil {
		return 0, err
	}
	req.Header.Del("Accept-Encoding")
	resp, err := (&http.Client{}).Do(req) // as nobody
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	for _, path := range asset.FindAll(text, -1) {
		s, err := v.visit(ctx, page{path: string(bytes.TrimSpace(path))})
		if err != nil {
			return 0, err
		}
		size += len(s.body)
	}
	return size, nil
}

// livePages are those that show what the large command does while it runs.
func livePages(c *large) []page {
	return []page{
		{name: "invocation, running", path: "invocations/" + c.id},
		{name: "invocation, running, by duration", path: "invocations/" + c.id + "?sort=duration&dir=desc"},
		{name: "output, running", path: "invocations/" + c.id + "/on/" + c.instance},
		{name: "stop", path: "invocations/" + c.id + "/stop"},
	}
}

// pages are all others; those of an invocation are of the large one, which has ended.
func pages(c *large, key, command string) []page {
	run := url.Values{"content": {"uptime"}, "where": {"all"}, "when": {"cron"}, "cron": {"0 30 3 * * ?"}, "zone": {"Europe/Berlin"}}
	of := "invocations/" + c.id
	return []page{
		{name: "no such page", path: "nothing"},
		{name: "fleet", path: "fleet"},
		{name: "fleet, next page", path: "fleet?after=" + c.after},
		{name: "fleet, searched", path: "fleet?q=sim-77"},
		{name: "fleet, none found", path: "fleet?q=nowhere"},
		{name: "fleet, away", path: "fleet?state=offline"},
		{name: "add machines", path: "fleet/add"},
		{name: "machine", path: "fleet/" + c.instance},
		{name: "machine of 100 000 invocations", path: "fleet/" + c.busiest},
		{name: "remove", path: "fleet/" + c.instance + "/remove"},
		{name: "run", path: "run"},
		{name: "run, kept command on all", path: "run?command=" + command + "&where=all"},
		{name: "run, preview", path: "run/preview", form: run},
		{name: "run, question", path: "run/confirm", form: run},
		{name: "invocations", path: "invocations"},
		{name: "invocations, failed in part", path: "invocations?status=PartialFailed"},
		{name: "invocations, by name", path: "invocations?name=deploy"},
		{name: "invocations of a machine", path: "invocations?instance=" + c.instance},
		{name: "invocation", path: of},
		{name: "invocation, failed", path: of + "?show=failed"},
		{name: "invocation, searched", path: of + "?q=sim-77"},
		{name: "invocation, by name", path: of + "?sort=name"},
		{name: "invocation, by state", path: of + "?sort=state"},
		{name: "invocation, by exit code", path: of + "?sort=exit&dir=desc"},
		{name: "invocation, by start", path: of + "?sort=started"},
		{name: "invocation, by duration", path: of + "?sort=duration&dir=desc"},
		{name: "invocation, row 5 000", path: of + "?sort=duration&after=5000"},
		{name: "output", path: of + "/on/" + c.instance},
		{name: "outputs", path: of + "/outputs"},
		{name: "alike", path: of + "/alike/" + c.ordinal},
		{name: "retry", path: of + "/retry"},
		{name: "schedule", path: "invocations/" + c.schedule},
		{name: "commands", path: "commands"},
		{name: "command", path: "commands/" + command},
		{name: "new command", path: "commands/new"},
		{name: "delete command", path: "commands/" + command + "/delete"},
		{name: "schedules", path: "schedules"},
		{name: "activations", path: "activations"},
		{name: "keys", path: "keys"},
		{name: "disable key", path: "keys/" + key + "/disable"},
	}
}
