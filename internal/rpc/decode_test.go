package rpc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/rpc"
)

// with is the least that RunCommand accepts, and more.
func with(more values) values {
	p := values{"RegionId": "cn-hangzhou", "CommandContent": "ls", "InstanceId.1": "i-1"}
	for name, value := range more {
		p[name] = value
		if value == "-" {
			delete(p, name)
		}
	}
	return p
}

func TestParametersAreFlattened(t *testing.T) {
	for _, c := range []struct {
		name string
		p    values
		want string // fields of the answer that differ from the least
	}{
		{"gaps and any order, by number", values{"InstanceId.10": "j", "InstanceId.2": "b", "InstanceId.1": "-", "InstanceId.100000": "z"}, `"Instances":["b","j","z"]`},
		{"a bare name is a list of one", values{"InstanceId": "x", "InstanceId.1": "-"}, `"Instances":["x"]`},
		{"no index of a list", values{"InstanceId.100001": "a", "InstanceId.x": "b", "InstanceId.-2": "c", "InstanceId.02": "d", "InstanceId.": "e",
			"InstanceId.2.Key": "f", "InstanceId.3.": "g", "InstanceId.+4": "h", "InstanceId.99999999999999999999": "i"}, `"Instances":["i-1"]`},
		{"structs in a list", values{"Tag.10.Key": "z", "Tag.2.Key": "k", "Tag.2.Value": "v", "Tag.3.Other": "", "Tag": "x", "Tag.4": "y"},
			`"Tags":[{"Key":"k","Value":"v"},{"Key":"","Value":""},{"Key":"z","Value":""}]`},
		{"lists in structs in a list", values{"Range.1.From": "7", "Range.1.Name.2": "b", "Range.1.Name.1": "a"}, `"Ranges":[{"From":7,"Name":["a","b"]}]`},
		{"numbers in a list", values{"Count.1": "1", "Count.2": "-2"}, `"Count":[1,-2]`},
		{"booleans in any case", values{"KeepCommand": "TRUE", "Timed": "False"}, `"KeepCommand":true,"Timed":false`},
		{"empty counts as absent", values{"KeepCommand": "", "Timed": "", "Timeout": "", "PageNumber": ""}, ``},
		{"empty text is text", values{"Parameters": ""}, `"Parameters":""`},
		{"zero is a number", values{"Timeout": "0"}, `"Timeout":0`},
		{"unknown ones are ignored", values{"Nonsense": "1", "region.1": "x", "RegionId.1": "y"}, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := map[string]any{"InvokeId": "t-1", "CommandContent": "ls", "Instances": []any{"i-1"}, "KeepCommand": false,
				"Tags": []any{}, "Count": []any{}, "Ranges": []any{}}
			got := map[string]any{}
			if err := json.Unmarshal([]byte("{"+c.want+"}"), &want); err != nil {
				t.Fatal(err)
			}
			a := do(t, rpc.New(config()), get("RunCommand", with(c.p)))
			if err := json.Unmarshal([]byte(a.body), &got); err != nil {
				t.Fatal(err)
			}
			delete(got, "RequestId")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParametersThatDoNotFit(t *testing.T) {
	for _, c := range []struct {
		p             values
		code, message string
	}{
		{values{"RegionId": "-", "Timeout": "x"}, "MissingParameter.RegionId", "You must specify RegionId."},
		{values{"CommandContent": ""}, "MissingParameter.CommandContent", "You must specify CommandContent."},
		{values{"InstanceId.1": "-", "Timeout": "x"}, "MissingParam.InstanceId", "You must specify InstanceId."},
		{values{"Timeout": "ten"}, "InvalidParameter.Timeout", "The specified parameter Timeout is not valid."},
		{values{"Timeout": "1e3"}, "InvalidParameter.Timeout", "The specified parameter Timeout is not valid."},
		{values{"Timeout": "9223372036854775808"}, "InvalidParameter.Timeout", "The specified parameter Timeout is not valid."},
		{values{"PageNumber": "x"}, "InvalidParam.PageNumber", "The specified parameter is invalid."},
		{values{"KeepCommand": "yes"}, "InvalidParameter.KeepCommand", "The specified parameter KeepCommand is not valid."},
		{values{"Timed": "1"}, "InvalidParameter.Timed", "The specified parameter Timed is not valid."},
		{values{"Count.1": "1", "Count.2": "b"}, "InvalidParameter.Count", "The specified parameter Count is not valid."},
		{values{"Range.1.Name.1": "a"}, "MissingParameter.From", "You must specify From."},
		{values{"KeepCommand": "yes", "Timeout": "x"}, "InvalidParameter.Timeout", "The specified parameter Timeout is not valid."},
	} {
		a := do(t, rpc.New(config()), get("RunCommand", with(c.p)))
		if a.status != 400 || a.Code != c.code || a.Message != c.message {
			t.Errorf("%v: %d %s %q, want 400 %s %q", c.p, a.status, a.Code, a.Message, c.code, c.message)
		}
	}
}

func TestTypesThatCannotTravelAreBugs(t *testing.T) {
	panics := func(name string, register func()) {
		defer func() {
			if recover() == nil {
				t.Errorf("%s was accepted", name)
			}
		}()
		register()
	}
	panics("a float parameter", func() { handle[struct{ X float64 }, struct{}]() })
	panics("an unknown option", func() {
		handle[struct {
			X string `rpc:",mandatory"`
		}, struct{}]()
	})
	panics("a map by numbers in a response", func() { handle[struct{}, struct{ X map[int]string }]() })
	panics("a map of lists in a response", func() { handle[struct{}, struct{ X map[string][]string }]() })
	panics("a Code at the top of a response", func() { handle[struct{}, struct{ Code string }]() })
	panics("pointers in a list", func() { handle[struct{}, struct{ X []*string }]() })
}

func handle[Req, Resp any]() {
	rpc.Handle("X", func(context.Context, orderly.Caller, Req) (resp Resp, err error) { return })
}

func FuzzDecode(f *testing.F) {
	h := rpc.New(config())
	f.Add("Tag.1.Key", "a", "Tag.1.Value", "b")
	f.Add("InstanceId", "", "InstanceId.100000", "x")
	f.Add("Range.1.From", "9", "Range.1.Name.3", "\x00\xff")
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string) {
		if name1 == "Action" || name2 == "Action" {
			t.Skip("another action answers otherwise")
		}
		switch a := do(t, h, get("RunCommand", with(values{name1: value1, name2: value2}))); a.status {
		case 200, 400, 404:
		default:
			t.Errorf("%q=%q&%q=%q: %s", name1, value1, name2, value2, a.body)
		}
	})
}

func FuzzRequest(f *testing.F) {
	h := rpc.New(config())
	f.Add("GET", get("WhoAmI", nil).URL.RawQuery, "", "", "", "")
	f.Add("POST", "Format=XML", "application/x-www-form-urlencoded", "Action=%zz;&&=", "", "")
	f.Add("POST", "", "", "x", "ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=host,Signature="+strings.Repeat("0", 64), "text/xml")
	f.Fuzz(func(t *testing.T, method, query, contentType, body, authorization, accept string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Method, r.URL.RawQuery = method, query
		for name, value := range map[string]string{
			"Content-Type": contentType, "Authorization": authorization, "Accept": accept, "x-acs-action": "RunCommand", "x-acs-version": version,
		} {
			r.Header.Set(name, value)
		}
		if a := do(t, h, r); a.status >= 500 {
			t.Errorf("%s %q %q: %s", method, query, body, a.body)
		}
	})
}

func BenchmarkRunCommandOnAHundred(b *testing.B) {
	h := rpc.New(config())
	p := with(nil)
	for i := range 100 {
		p[fmt.Sprintf("InstanceId.%d", i+1)] = fmt.Sprintf("i-%d", i)
	}
	for b.Loop() {
		do(b, h, v3("RunCommand", p, nil))
	}
}
