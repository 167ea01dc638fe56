package rpc_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orderly-run/orderly/internal/auth"
	"github.com/orderly-run/orderly/internal/rpc"
)

// altered is a V1 request with exactly these parameters over the common ones, then signed; a
// value of "-" takes the parameter away after signing.
func altered(action string, p values) *http.Request {
	all := v1("GET", action, p)
	for name, value := range p {
		if value == "-" {
			delete(all, name)
		}
	}
	return httptest.NewRequest(http.MethodGet, "/?"+all.Canonical(), nil)
}

func utc(d time.Duration) string { return time.Now().UTC().Add(d).Format("2006-01-02T15:04:05Z") }

func TestEveryCommonErrorCode(t *testing.T) {
	ok := values{"RegionId": "cn-hangzhou"}
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	after := func(r *http.Request, change func(*http.Request)) *http.Request { change(r); return r }
	for _, c := range []struct {
		name   string
		r      *http.Request
		status int
		code   string
	}{
		{"nothing", httptest.NewRequest(http.MethodGet, "/", nil), 400, "MissingParameter"},
		{"no Version", altered("DescribeInvocations", values{"Version": "-"}), 400, "MissingParameter"},
		{"other Version", altered("DescribeInvocations", values{"Version": "2020-06-01"}), 400, "InvalidVersion"},
		{"other Action", altered("Nonsense", ok), 404, "InvalidAction.NotFound"},
		{"other path", httptest.NewRequest(http.MethodGet, "/x?"+v1("GET", "DescribeInvocations", ok).Canonical(), nil), 404, "InvalidAction.NotFound"},
		{"no AccessKeyId", altered("DescribeInvocations", values{"AccessKeyId": "-"}), 400, "MissingParameter"},
		{"no Signature", httptest.NewRequest(http.MethodGet, "/?Action=DescribeInvocations&AccessKeyId=a&Version="+version, nil), 400, "MissingParameter"},
		{"no nonce", altered("DescribeInvocations", values{"SignatureNonce": "-"}), 400, "MissingParameter"},
		{"no Timestamp", altered("DescribeInvocations", values{"Timestamp": "-"}), 400, "MissingParameter"},
		{"method unknown", altered("DescribeInvocations", values{"SignatureMethod": "MD5"}), 400, "InvalidParamater"},
		{"signature version unknown", altered("DescribeInvocations", values{"SignatureVersion": "2.0"}), 400, "InvalidParamater"},
		{"bearer token", altered("DescribeInvocations", values{"SignatureType": "BEARERTOKEN"}), 400, "InvalidParameter"},
		{"format unknown", altered("DescribeInvocations", values{"Format": "YAML"}), 400, "InvalidParameter"},
		{"nonce too long", altered("DescribeInvocations", values{"SignatureNonce": strings.Repeat("n", 257)}), 400, "InvalidParameter"},
		{"nonce with a character 0", altered("DescribeInvocations", values{"SignatureNonce": "n\x00"}), 400, "InvalidParameter"},
		{"nonce that is not UTF-8", altered("DescribeInvocations", values{"SignatureNonce": "n\xff"}), 400, "InvalidParameter"},
		{"key with a character 0", altered("DescribeInvocations", values{"AccessKeyId": "brokenid\x00"}), 404, "InvalidAccessKeyId.NotFound"},
		{"key that is not UTF-8", altered("DescribeInvocations", values{"AccessKeyId": "brokenid\xff"}), 404, "InvalidAccessKeyId.NotFound"},
		{"timestamp unreadable", altered("DescribeInvocations", values{"Timestamp": "yesterday"}), 400, "IllegalTimestamp"},
		{"timestamp old", altered("DescribeInvocations", values{"Timestamp": utc(-16 * time.Minute)}), 400, "InvalidTimeStamp.Expired"},
		{"timestamp early", altered("DescribeInvocations", values{"Timestamp": utc(16 * time.Minute)}), 400, "InvalidTimeStamp.Expired"},
		{"key unknown", altered("DescribeInvocations", values{"AccessKeyId": "nobody"}), 404, "InvalidAccessKeyId.NotFound"},
		{"key disabled", altered("DescribeInvocations", values{"AccessKeyId": "offid"}), 403, "Forbidden.AccessKeyDisabled"},
		{"key lookup broken", altered("DescribeInvocations", values{"AccessKeyId": "brokenid"}), 500, "InternalError.Dispatch"},
		{"security token", altered("DescribeInvocations", values{"SecurityToken": "tok"}), 400, "InvalidSecurityToken.Malformed"},
		{"parameter changed", altered("DescribeInvocations", values{"RegionId": "-"}), 400, "SignatureDoesNotMatch"},
		{"signature of another sort", after(get("DescribeInvocations", ok), func(r *http.Request) {
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "Signature=", "Signature=abcd", 1)
		}), 400, "IncompleteSignature"},
		{"method not allowed", httptest.NewRequest(http.MethodPut, "/?Format=JSON", nil), 403, "UnsupportedHTTPMethod"},
		{"HEAD", httptest.NewRequest(http.MethodHead, "/", nil), 403, "UnsupportedHTTPMethod"},
		{"bad escape", httptest.NewRequest(http.MethodGet, "/?Action=%zz", nil), 400, "InvalidParameter"},
		{"too many parameters", httptest.NewRequest(http.MethodGet, "/?"+manyParams(20_001), nil), 400, "InvalidParameter"},
		{"policy denies", get("Forbidden", nil), 403, "Forbidden.RAM"},
		{"policy denies in the action", get("Fail", values{"Reason": "forbidden"}), 403, "Forbidden.RAM"},
		{"throttled", get("Fail", values{"Reason": "throttled"}), 400, "Throttling"},
		{"conflict", get("Fail", values{"Reason": "conflict"}), 409, "OperationConflict"},
		{"overloaded", get("Fail", values{"Reason": "overloaded"}), 503, "ServiceUnavailable"},
		{"own check", get("RunCommand", values{"RegionId": "mars"}), 404, "InvalidRegionId.NotFound"},

		{"V3 no Authorization", after(v3("DescribeInvocations", ok, nil), func(r *http.Request) { r.Header.Del("Authorization") }), 400, "MissingParameter"},
		{"V3 no nonce", v3("DescribeInvocations", ok, header("x-acs-signature-nonce", "")), 400, "MissingParameter"},
		{"V3 no date", v3("DescribeInvocations", ok, header("x-acs-date", "")), 400, "MissingParameter"},
		{"V3 no action", v3("", ok, nil), 400, "MissingParameter"},
		{"V3 no version", v3("DescribeInvocations", ok, header("x-acs-version", "")), 400, "MissingParameter"},
		{"V3 other scheme", after(v3("DescribeInvocations", ok, nil), header("Authorization", "ACS4-HMAC-SHA256 Credential=x")), 400, "InvalidParamater"},
		{"V3 malformed", after(v3("DescribeInvocations", ok, nil), header("Authorization", auth.ACS3+" Credential=testid")), 400, "IncompleteSignature"},
		{"V3 signs too little", after(v3("DescribeInvocations", ok, nil), func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "x-acs-signature-nonce;", "", 1))
		}), 400, "IncompleteSignature"},
		{"V3 type of the body not signed", after(v3("DescribeInvocations", ok, nil), func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "content-type;", "", 1))
		}), 400, "IncompleteSignature"},
		{"V3 hash of another body", v3("DescribeInvocations", ok, header(auth.ContentHash, auth.HashPayload(nil))), 400, "SignatureDoesNotMatch"},
		{"V3 header changed", after(v3("DescribeInvocations", ok, nil), header("x-acs-action", "RunCommand")), 400, "SignatureDoesNotMatch"},
		{"V3 security token", v3("DescribeInvocations", ok, header("x-acs-security-token", "t")), 400, "InvalidSecurityToken.Malformed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := do(t, rpc.New(config()), c.r)
			if a.status != c.status || a.Code != c.code {
				t.Errorf("%d %s (%s), want %d %s", a.status, a.Code, a.Message, c.status, c.code)
			}
			if strings.HasSuffix(c.code, "Signature") || c.code == "SignatureDoesNotMatch" {
				if _, text, ok := strings.Cut(a.Message, "server string to sign is:"); !ok || text == "" {
					t.Errorf("message %q does not end with the string to sign", a.Message)
				}
			}
			if strings.Contains(a.body, secret) {
				t.Errorf("the secret is in %s", a.body)
			}
		})
	}
}

func manyParams(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "P.%d=&", i)
	}
	return b.String()
}

func TestErrorsOfActions(t *testing.T) {
	for _, c := range []struct {
		reason        string
		status        int
		code, message string
		logged        bool
	}{
		{"told", 400, "Told.Code", "i-1 is <asleep>", false},
		{"fixed", 403, "Fixed.Code", "The fixed message.", false},
		{"dynamic", 409, "Dynamic.Code", "as it is", false},
		{"absent", 500, "InternalError.Dispatch", "An error occurred when you dispatched the request.", true},
		{"other", 500, "InternalError.Dispatch", "An error occurred when you dispatched the request.", true},
		{"panic", 500, "InternalError.Dispatch", "An error occurred when you dispatched the request.", true},
	} {
		t.Run(c.reason, func(t *testing.T) {
			cfg := config()
			log := logTo(&cfg)
			a := do(t, rpc.New(cfg), get("Fail", values{"Reason": c.reason}))
			if a.status != c.status || a.Code != c.code || a.Message != c.message || a.HostId != "ecs.example" {
				t.Errorf("%d %s: %s", a.status, a.Code, a.body)
			}
			if strings.Contains(log.String(), a.RequestId) != c.logged || strings.Count(log.String(), "\n") > 1 {
				t.Errorf("log %q, want the cause once: %v", log, c.logged)
			}
		})
	}
}

func TestReplayIsRefused(t *testing.T) {
	for _, action := range []string{"RunCommand", "WhoAmI"} {
		h := rpc.New(config())
		p := values{"RegionId": "cn-hangzhou", "CommandContent": "ls", "InstanceId": "i-1"}
		query := "/?" + v1("GET", action, p).Canonical()
		first := do(t, h, httptest.NewRequest(http.MethodGet, query, nil))
		again := do(t, h, httptest.NewRequest(http.MethodGet, query, nil))
		if first.status != 200 || again.status != 400 || again.Code != "SignatureNonceUsed" {
			t.Errorf("%s: first %d %s, replay %d %s", action, first.status, first.Code, again.status, again.Code)
		}
	}
}

// A nonce with more around it must not pass for another nonce with the same signature.
func TestReplayInAnotherSpellingIsRefused(t *testing.T) {
	for _, more := range []string{"\u00a0", "\u0085", "\u2003", " \u00a0", ",", "\xff"} {
		h := rpc.New(config())
		body := values{"RegionId": "cn-hangzhou", "CommandContent": "ls", "InstanceId": "i-1"}
		r := v3("RunCommand", body, nil)
		again := r.Clone(t.Context())
		again.Body = io.NopCloser(strings.NewReader(body.Canonical()))
		again.Header.Set("x-acs-signature-nonce", r.Header.Get("x-acs-signature-nonce")+more)
		if a := do(t, h, r); a.status != 200 {
			t.Fatalf("first: %s", a.body)
		}
		if a := do(t, h, again); a.status == 200 {
			t.Errorf("replayed with %q behind the nonce: %s", more, a.body)
		}
	}
}

// Two servers share their keys but not their memory.
func TestReplayOfAChangeIsRefusedByAnotherServer(t *testing.T) {
	cfg := config()
	p := values{"RegionId": "cn-hangzhou", "CommandContent": "ls", "InstanceId": "i-1"}
	query := "/?" + v1("GET", "RunCommand", p).Canonical()
	first := do(t, rpc.New(cfg), httptest.NewRequest(http.MethodGet, query, nil))
	again := do(t, rpc.New(cfg), httptest.NewRequest(http.MethodGet, query, nil))
	if first.status != 200 || again.Code != "SignatureNonceUsed" {
		t.Errorf("first %d %s, replay %d %s", first.status, first.Code, again.status, again.Code)
	}
}

func TestAFailedSignatureDoesNotBurnTheNonce(t *testing.T) {
	h := rpc.New(config())
	p := v1("GET", "WhoAmI", nil)
	good := p["Signature"]
	p["Signature"], _ = auth.SignV1("GET", p, "a guess")
	if a := do(t, h, httptest.NewRequest(http.MethodGet, "/?"+p.Canonical(), nil)); a.Code != "SignatureDoesNotMatch" {
		t.Fatalf("a guessed signature: %s", a.body)
	}
	p["Signature"] = good
	if a := do(t, h, httptest.NewRequest(http.MethodGet, "/?"+p.Canonical(), nil)); a.status != 200 {
		t.Errorf("the nonce is gone: %s", a.body)
	}
}

// A request from the future stays acceptable for twice the window, and its replay refused.
func TestNonceIsRememberedAsLongAsItsTimestampCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := rpc.New(config())
		query := "/?" + v1("GET", "WhoAmI", values{"Timestamp": utc(rpc.Window)}).Canonical()
		want := ""
		for range 30 {
			if a := do(t, h, httptest.NewRequest(http.MethodGet, query, nil)); a.Code != want {
				t.Fatalf("at %s: %s, want %q", utc(0), a.body, want)
			}
			want = "SignatureNonceUsed"
			time.Sleep(time.Minute)
			do(t, h, get("WhoAmI", nil))
		}
		time.Sleep(time.Minute)
		if a := do(t, h, httptest.NewRequest(http.MethodGet, query, nil)); a.Code != "InvalidTimeStamp.Expired" {
			t.Errorf("after the window: %s", a.body)
		}
	})
}

// A noting ring notes until when the last nonce has to be remembered.
type noting struct {
	ring
	until time.Time
}

func (n *noting) SpendNonce(_ context.Context, _, _ string, until time.Time) error {
	n.until = until
	return nil
}

// The store's clock may be ahead of a server's: what it forgets must have expired on every clock.
func TestNonceOutlivesItsTimestampOnTheStoresClock(t *testing.T) {
	cfg, keys := config(), &noting{}
	cfg.Keys = keys
	at := time.Now().Add(-time.Minute).Truncate(time.Second)
	p := values{"RegionId": "cn-hangzhou", "CommandContent": "ls", "InstanceId": "i-1", "Timestamp": utc(-time.Minute)}
	if a := do(t, rpc.New(cfg), get("RunCommand", p)); a.status != 200 {
		t.Fatal(a.body)
	}
	if least := at.Add(rpc.Window + 10*time.Second); keys.until.Before(least) {
		t.Errorf("remembered until %v, want at least %v", keys.until, least)
	}
}
