package rpc_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly/internal/rpc"
)

func TestAuditLineForEachChangeOfAKnownCaller(t *testing.T) {
	change := values{"RegionId": "cn-hangzhou", "CommandContent": "TOP-SECRET", "InstanceId": "i-1"}
	for _, c := range []struct {
		name string
		r    *http.Request
		code string // "" for no line
	}{
		{"done", get("RunCommand", change), "OK"},
		{"refused", get("RunCommand", values{"RegionId": "mars", "CommandContent": "TOP-SECRET"}), "InvalidRegionId.NotFound"},
		{"denied", get("Forbidden", change), "Forbidden.RAM"},
		{"read", get("WhoAmI", change), ""},
		{"not signed", altered("RunCommand", values{"RegionId": "-", "CommandContent": "TOP-SECRET"}), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config()
			log := logTo(&cfg)
			a := do(t, rpc.New(cfg), c.r)
			if strings.Contains(log.String(), "TOP-SECRET") {
				t.Errorf("a parameter is in the log: %s", log)
			}
			if c.code == "" {
				if log.Len() > 0 {
					t.Errorf("logged %s", log)
				}
				return
			}
			var line struct{ Msg, Action, Account, Key, Source, Request, Code string }
			if err := json.Unmarshal(log.Bytes(), &line); err != nil {
				t.Fatalf("not one line: %v in %s", err, log)
			}
			if line.Msg != "audit" || line.Account != "1234567890123456" || line.Key != "testid" ||
				line.Source != "192.0.2.1" || line.Request != a.RequestId || line.Code != c.code {
				t.Errorf("audit line %+v, want code %s", line, c.code)
			}
		})
	}
}

func TestSourceIP(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct{ peer, forwarded, want string }{
		{"192.0.2.9:1", "203.0.113.5", "192.0.2.9"},
		{"10.0.0.1:1", "", "10.0.0.1"},
		{"10.0.0.1:1", "203.0.113.5", "203.0.113.5"},
		{"10.0.0.1:1", "1.1.1.1, 203.0.113.5, 10.0.0.2", "203.0.113.5"},
		{"[fd00::1]:1", "2001:db8::7", "2001:db8::7"},
		{"10.0.0.1:1", "1.1.1.1, nonsense", "10.0.0.1"},
	} {
		cfg := config()
		cfg.TrustedProxies = trusted
		r := get("WhoAmI", nil)
		r.RemoteAddr = c.peer
		r.Header.Set("X-Forwarded-For", c.forwarded)
		var who struct{ SourceIP string }
		if err := json.Unmarshal([]byte(do(t, rpc.New(cfg), r).body), &who); err != nil || who.SourceIP != c.want {
			t.Errorf("peer %s, forwarded %q: %q %v, want %q", c.peer, c.forwarded, who.SourceIP, err, c.want)
		}
	}
}

func TestObserveHearsKnownNamesOnly(t *testing.T) {
	cfg := config()
	var got []string
	cfg.Observe = func(action, code string, took time.Duration) {
		if took < 0 {
			t.Errorf("took %s", took)
		}
		got = append(got, action+" "+code)
	}
	h := rpc.New(cfg)
	do(t, h, get("WhoAmI", nil))
	do(t, h, get("Strange", nil))
	do(t, h, get("Fail", nil))
	if s := strings.Join(got, ","); s != "WhoAmI OK, InvalidAction.NotFound,Fail InternalError.Dispatch" {
		t.Errorf("observed %s", s)
	}
}

// counted counts what is read of an endless body.
type counted struct{ n int }

func (c *counted) Read(p []byte) (int, error) {
	c.n += len(p)
	return copy(p, strings.Repeat("a", len(p))), nil
}

func TestOversizeBodyIsNotReadOn(t *testing.T) {
	cfg := config()
	cfg.MaxBody = 10_000
	for name, length := range map[string]int64{"announced": 1 << 40, "chunked": -1} {
		body := &counted{}
		r := httptest.NewRequest(http.MethodPost, "/?Format=JSON", io.NopCloser(body))
		r.ContentLength = length
		a := do(t, rpc.New(cfg), r)
		if a.status != 400 || a.Code != "InvalidParameter" || a.Message != "request body too large" {
			t.Errorf("%s: %s", name, a.body)
		}
		if body.n > 20_000 {
			t.Errorf("%s: %d bytes were read", name, body.n)
		}
	}
}

func TestAnswersFormat(t *testing.T) {
	const jsonType, xmlType = "application/json;charset=utf-8", "text/xml;charset=utf-8"
	for _, c := range []struct {
		name string
		r    *http.Request
		want string
	}{
		{"V1 default", altered("WhoAmI", values{"Format": ""}), xmlType},
		{"V1 json", get("WhoAmI", values{"Format": "json"}), jsonType},
		{"V1 XML", get("WhoAmI", values{"Format": "xMl"}), xmlType},
		{"V1 error before anything is known", httptest.NewRequest(http.MethodPut, "/?Format=JSON", nil), jsonType},
		{"V3 default", v3("WhoAmI", nil, nil), jsonType},
		{"V3 XML", v3("WhoAmI", nil, func(r *http.Request) { r.Header.Set("Accept", "application/XML") }), xmlType},
		{"V3 error", v3("Nonsense", nil, nil), jsonType},
	} {
		if a := do(t, rpc.New(config()), c.r); a.header.Get("Content-Type") != c.want {
			t.Errorf("%s: %s, want %s", c.name, a.header.Get("Content-Type"), c.want)
		}
	}
}
