package ecs_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly/internal/auth"
	"github.com/orderly-run/orderly/internal/ecs"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/fleet"
	"github.com/orderly-run/orderly/internal/rpc"
	"github.com/orderly-run/orderly/internal/store"
)

// entrance is the whole way of a request in, over a database that is closed: whoever asks it for
// anything fails.
func entrance(t testing.TB) http.Handler {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "orderly.db"), store.Options{Secret: bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	e := engine.New(db, &wire{}, engine.Config{Regions: []string{region}})
	dialect := ecs.New(ecs.Config{Engine: e, Fleet: fleet.New(db, e, fleet.Config{}), TokenKey: bytes.Repeat([]byte{9}, 32)})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return rpc.New(rpc.Config{APIs: []rpc.API{dialect.API()}, Keys: memory{}, Host: "orderly.example"})
}

// signed is the body of a signed request.
func signed(v values) string {
	p := auth.Params{
		"Version": "2014-05-26", "Format": "JSON", "AccessKeyId": account, "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
		"SignatureNonce": fmt.Sprint(time.Now().UnixNano()), "Timestamp": time.Now().UTC().Format("2006-01-02T15:04:05Z"), "RegionId": region,
	}
	for name, value := range v {
		p[name] = value
	}
	p["Signature"], _ = auth.SignV1(http.MethodPost, p, "secret")
	form := url.Values{}
	for name, value := range p {
		form.Set(name, value)
	}
	return form.Encode()
}

// post hands a body in and returns the answer.
func post(h http.Handler, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// crowds are requests with more than there may be.
func crowds() map[string]values {
	v := map[string]values{
		"SendFile/51":       aFile.with("Action", "SendFile").with(many("InstanceId", 51, "")...),
		"StopInvocation/51": values{"Action": "StopInvocation", "InvokeId": "t-1"}.with(many("InstanceId", 51, "")...),
	}
	for _, n := range []int{101, 1000, 10_000, 19_900} {
		v[fmt.Sprintf("RunCommand/%d", n)] = values{"Action": "RunCommand", "Type": "RunShellScript", "CommandContent": "true"}.with(many("InstanceId", n, "")...)
		v[fmt.Sprintf("InvokeCommand/%d", n)] = values{"Action": "InvokeCommand", "CommandId": "c-1"}.with(many("InstanceId", n, "")...)
	}
	return v
}

// TGT-1, STOP-1: a list that is too long is refused without a look at the database.
func TestTooManyInstancesNeedNoDatabase(t *testing.T) {
	h := entrance(t)
	for name, v := range crowds() {
		w := post(h, signed(v))
		if w.Code != 403 || !strings.Contains(w.Body.String(), `"InstanceIds.ExceedLimit"`) {
			t.Errorf("%s: %d %s, want 403 InstanceIds.ExceedLimit", name, w.Code, w.Body)
		}
	}
	if w := post(h, signed(script("mi-1").with("Action", "RunCommand"))); w.Code != 500 {
		t.Errorf("with one instance: %d %s, want that the database is asked", w.Code, w.Body)
	}
}

// ERR-1: whatever the request alone shows to be wrong is refused without a look at the database.
func TestFormsNeedNoDatabase(t *testing.T) {
	h := entrance(t)
	for _, f := range []faulty{faultyNew(), faultyStored(), faultyFile(), faultyStop(), faultyRead("DescribeInvocations", "IncludeOutput"), faultyRead("DescribeInvocationResults", "IncludeHistory")} {
		for _, one := range append(f.faults[atRequired], f.faults[atForm]...) {
			v, _ := f.together(one, fault{})
			for name, value := range v {
				if value == "-" {
					delete(v, name)
				}
			}
			w := post(h, signed(v.with("Action", f.action)))
			if w.Code != one.status || !strings.Contains(w.Body.String(), `"`+one.code+`"`) {
				t.Errorf("%s with %s: %d %s", f.action, one, w.Code, w.Body)
			}
		}
	}
}

// More than 20 000 parameters in all are refused, whatever they are and wherever they stand.
func TestTooManyParameters(t *testing.T) {
	h := entrance(t)
	crowd := values{"Action": "RunCommand", "Type": "RunShellScript", "CommandContent": "true"}.with(many("InstanceId", 20_001, "")...)
	body := signed(crowd)
	half := strings.IndexByte(body[len(body)/2:], '&') + len(body)/2
	split := httptest.NewRequest(http.MethodPost, "/?"+body[:half], strings.NewReader(body[half+1:]))
	split.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, split)
	for name, w := range map[string]*httptest.ResponseRecorder{
		"in the form": post(h, body), "in query and form": w, "unknown ones": post(h, signed(values{"Action": "DescribeRegions"}.with(many("X", 20_001, "")...))),
	} {
		if w.Code != 400 || !strings.Contains(w.Body.String(), `InvalidParameter<`) && !strings.Contains(w.Body.String(), `"InvalidParameter"`) {
			t.Errorf("%s: %d %.300s, want 400 InvalidParameter", name, w.Code, w.Body)
		}
	}
	all := values{"Action": "RunCommand", "Type": "RunShellScript", "CommandContent": "true"}
	all = all.with(many("InstanceId", 20_000-12, "")...) // with the common ones 20 000
	if w := post(h, signed(all)); w.Code != 403 {
		t.Errorf("20 000 parameters: %d %.300s, want that they are read", w.Code, w.Body)
	}
}

// What a refusal of too long a list costs, from the request's bytes to the answer's.
func BenchmarkTooManyInstances(b *testing.B) {
	for name, v := range crowds() {
		b.Run(name, func(b *testing.B) { benchmarkRefusal(b, v, 403) })
	}
	b.Run("RunCommand/20001", func(b *testing.B) {
		benchmarkRefusal(b, values{"Action": "RunCommand"}.with(many("InstanceId", 20_001, "")...), 400)
	})
}

func benchmarkRefusal(b *testing.B, v values, status int) {
	h := entrance(b)
	for b.Loop() {
		b.StopTimer()
		body := signed(v) // anew: a nonce counts once
		b.StartTimer()
		if w := post(h, body); w.Code != status {
			b.Fatalf("%d %s", w.Code, w.Body)
		}
	}
}
