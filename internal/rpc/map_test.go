package rpc_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/auth"
	"github.com/orderly-run/orderly/internal/rpc"
)

// open lets everybody in.
type open struct{}

func (open) AccessKey(_ context.Context, id string) (rpc.Key, error) {
	return rpc.Key{ID: id, Account: "1", Secret: "s"}, nil
}

func (open) SpendNonce(context.Context, string, string, time.Time) error { return nil }

// A map is an object, its keys in order; in XML each key is an element as far as it can be one.
func TestMapsInAnswers(t *testing.T) {
	type answer struct{ Parameters, None map[string]string }
	api := rpc.API{Product: "P", Version: "1", Actions: []rpc.Action{rpc.Handle("Read", func(context.Context, orderly.Caller, struct{}) (answer, error) {
		return answer{Parameters: map[string]string{"name": `<"you">`, "2nd": "b", "a:b c": "é", "-": "", "A_-.z": "1"}}, nil
	})}}
	h := rpc.New(rpc.Config{APIs: []rpc.API{api}, Keys: open{}})
	for format, want := range map[string]string{
		"JSON": `"Parameters":{"-":"","2nd":"b","A_-.z":"1","a:b c":"é","name":"<\"you\">"},"None":{}}`,
		"XML":  `<Parameters><_-></_-><_2nd>b</_2nd><A_-.z>1</A_-.z><a_b_c>é</a_b_c><name>&lt;&#34;you&#34;&gt;</name></Parameters><None></None></ReadResponse>`,
	} {
		p := auth.Params{
			"Action": "Read", "Version": "1", "Format": format, "AccessKeyId": "k", "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
			"SignatureNonce": fmt.Sprint("map", format), "Timestamp": time.Now().UTC().Format(time.RFC3339),
		}
		p["Signature"], _ = auth.SignV1(http.MethodGet, p, "s")
		q := url.Values{}
		for name, value := range p {
			q.Set(name, value)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?"+q.Encode(), nil))
		if got := w.Body.String(); !strings.HasSuffix(got, want) {
			t.Errorf("%s: %s, want an end of %s", format, got, want)
		}
	}
}
