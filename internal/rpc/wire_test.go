package rpc_test

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly/internal/rpc"
)

var update = flag.Bool("update", false, "rewrite the expected answers in testdata/wire")

const separator = "-- response --\n"

var requestID = regexp.MustCompile(`[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}`)

// The requests under testdata/wire are bytes as the official clients send them, signed with
// testid and testsecret by code that shares nothing with this project's; then a line of dashes
// and the answer.
func TestWire(t *testing.T) {
	files, err := filepath.Glob("testdata/wire/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no wire files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			request, want, _ := strings.Cut(string(data), separator)
			var got string
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(time.Date(2026, 1, 2, 3, 5, 0, 0, time.UTC)))
				got = replay(t, rpc.New(config()), request)
			})
			if *update {
				err = os.WriteFile(file, []byte(request+separator+got), 0o600)
			} else if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// replay sends one raw request and writes the answer down, its RequestId made constant.
func replay(t *testing.T, h http.Handler, raw string) string {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(raw, "\n", "\r\n"))))
	if err != nil {
		t.Fatal(err)
	}
	a := do(t, h, r)
	text := fmt.Sprintf("%d %s\n%s\n", a.status, a.header.Get("Content-Type"), a.body)
	if len(requestID.FindAllString(text, -1)) != 1 {
		t.Errorf("not one RequestId in %s", text)
	}
	return requestID.ReplaceAllString(text, "REQUEST-ID")
}

// Every form of a request, over a real connection.
func TestEveryFormGivesTheSameAnswer(t *testing.T) {
	server := httptest.NewServer(rpc.New(config()))
	defer server.Close()
	api := values{"RegionId": "cn-hangzhou", "CommandContent": "echo 'a b'*~+ é", "InstanceId.1": "i-1", "InstanceId.2": "i-2", "Parameters": `{"a":"&"}`}
	const form = "application/x-www-form-urlencoded"
	send := func(t *testing.T, method, query, contentType, body string, chunked bool) string {
		t.Helper()
		var reader io.Reader = strings.NewReader(body)
		if chunked {
			reader = io.MultiReader(reader) // a length that net/http cannot know
		}
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/?"+query, reader)
		if err != nil {
			t.Fatal(err)
		}
		if contentType != "" {
			r.Header.Set("Content-Type", contentType)
		}
		return roundTrip(t, r)
	}
	split := v1("POST", "RunCommand", api)
	common, rest := values{}, values{}
	for name, value := range split {
		if _, ok := api[name]; ok {
			rest[name] = value
			common[name] = "overridden by the form"
		} else {
			common[name] = value
		}
	}
	got := map[string]string{
		"V1 GET query":           send(t, "GET", v1("GET", "RunCommand", api).Canonical(), "", "", false),
		"V1 POST query":          send(t, "POST", v1("POST", "RunCommand", api).Canonical(), form, "", false),
		"V1 POST query, no type": send(t, "POST", v1("POST", "RunCommand", api).Canonical(), "", "", false),
		"V1 form":                send(t, "POST", "", form+"; charset=UTF-8", v1("POST", "RunCommand", api).Canonical(), false),
		"V1 split, chunked":      send(t, "POST", common.Canonical(), form, rest.Canonical(), true),
	}
	r := v3("RunCommand", api, func(r *http.Request) { r.Host = strings.TrimPrefix(server.URL, "http://") })
	r.RequestURI, r.URL.Scheme, r.URL.Host = "", "http", r.Host
	got["V3 form"] = roundTrip(t, r)
	const want = `{"RequestId":"REQUEST-ID","InvokeId":"t-1","CommandContent":"echo 'a b'*~+ é","Instances":["i-1","i-2"],` +
		`"Parameters":"{\"a\":\"&\"}","KeepCommand":false,"Tags":[],"Count":[],"Ranges":[]}`
	for name, body := range got {
		if body != want {
			t.Errorf("%s: %s, want %s", name, body, want)
		}
	}
}

func roundTrip(t *testing.T, r *http.Request) string {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	return requestID.ReplaceAllString(read(t, resp).body, "REQUEST-ID")
}
