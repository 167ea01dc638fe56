package auth_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/orderly-run/orderly/internal/auth"
)

const secret = "testsecret"

// load reads a file of vectors, in a form that any implementation can read.
func load[T any](t *testing.T, file string) []T {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var vectors []T
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	return vectors
}

type v1Vector struct {
	Name, Method            string
	Params                  auth.Params
	StringToSign, Signature string
}

func TestV1Vectors(t *testing.T) {
	for _, v := range load[v1Vector](t, "testdata/v1.json") {
		t.Run(v.Name, func(t *testing.T) {
			signature, text := auth.SignV1(v.Method, v.Params, secret)
			if signature != v.Signature {
				t.Errorf("signature = %s, want %s", signature, v.Signature)
			}
			if v.StringToSign != "" && text != v.StringToSign {
				t.Errorf("string to sign =\n%s\nwant\n%s", text, v.StringToSign)
			}
			v.Params["Signature"] = v.Signature
			if text, ok := auth.VerifyV1(v.Method, v.Params, secret); !ok || !auth.WellFormedV1(v.Params) {
				t.Errorf("the vector does not verify; string to sign %s", text)
			}
		})
	}
}

type v3Vector struct {
	Name, Method            string
	Query                   auth.Params
	Headers                 map[string]string
	Body                    string
	StringToSign, Signature string
}

func (v v3Vector) request() auth.Request {
	r := auth.Request{
		Method: v.Method, Path: "/", Query: v.Query, Host: "127.0.0.1:18080",
		Header: http.Header{}, PayloadHash: auth.HashPayload([]byte(v.Body)),
	}
	for name, value := range v.Headers {
		r.Header.Set(name, value)
	}
	return r
}

func TestV3Vectors(t *testing.T) {
	for _, v := range load[v3Vector](t, "testdata/v3.json") {
		t.Run(v.Name, func(t *testing.T) {
			r := v.request()
			a := auth.SignV3(r, "testid", secret)
			if a.Signature != v.Signature {
				t.Errorf("signature = %s, want %s", a.Signature, v.Signature)
			}
			if text := r.StringToSign(a.SignedHeaders); v.StringToSign != "" && text != v.StringToSign {
				t.Errorf("string to sign = %q, want %q", text, v.StringToSign)
			}
			read, err := auth.ParseAuthorization(a.String())
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := auth.VerifyV3(r, read, secret); !ok {
				t.Error("the vector does not verify")
			}
		})
	}
}

func TestV3RefusesAnotherBodyThanAnnounced(t *testing.T) {
	v := load[v3Vector](t, "testdata/v3.json")[0]
	r := v.request()
	r.PayloadHash = auth.HashPayload([]byte("other")) // signed as it is, but announced otherwise
	if _, ok := auth.VerifyV3(r, auth.SignV3(r, "testid", secret), secret); ok {
		t.Error("a body that is not the announced one was accepted")
	}
}

func TestV3CoversEveryValueOfAHeader(t *testing.T) {
	r := load[v3Vector](t, "testdata/v3.json")[0].request()
	a := auth.SignV3(r, "testid", secret)
	r.Header.Add("x-acs-action", "DeleteCommand")
	if _, ok := auth.VerifyV3(r, a, secret); ok {
		t.Error("a second value of a signed header was accepted")
	}
}

// drawParams draws up to eight parameters with any text in them.
func drawParams(t *rapid.T) auth.Params {
	return rapid.MapOfN(rapid.String(), rapid.String(), 0, 8).Draw(t, "params")
}

// changed returns s with one byte changed, or one added when there is none.
func changed(t *rapid.T, s string) string {
	if s == "" {
		return "x"
	}
	b := []byte(s)
	b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= rapid.ByteRange(1, 255).Draw(t, "flip")
	return string(b)
}

func TestV1HoldsForWhatWasSignedOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawParams(t)
		p["SignatureMethod"] = rapid.SampledFrom([]string{auth.HMACSHA1, auth.HMACSHA256}).Draw(t, "hash")
		p["Victim"] = rapid.String().Draw(t, "victim")
		p["Signature"], _ = auth.SignV1("POST", p, secret)
		if _, ok := auth.VerifyV1("POST", p, secret); !ok {
			t.Fatal("what was signed does not verify")
		}
		method, key := "POST", secret
		switch rapid.IntRange(0, 4).Draw(t, "change") {
		case 0:
			p["Victim"] = changed(t, p["Victim"])
		case 1:
			p[changed(t, "Victim")] = p["Victim"]
			delete(p, "Victim")
		case 2:
			p["Signature"] = changed(t, p["Signature"])
		case 3:
			key = changed(t, key)
		case 4:
			method = "GET"
		}
		if _, ok := auth.VerifyV1(method, p, key); ok {
			t.Fatal("a changed request verifies")
		}
	})
}

func TestV3HoldsForWhatWasSignedOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := auth.Request{
			Method: "POST", Path: "/", Query: drawParams(t), Host: "h:1",
			Header:      http.Header{"X-Acs-Action": {"RunCommand"}},
			PayloadHash: auth.HashPayload([]byte(rapid.String().Draw(t, "body"))),
		}
		r.Query["Victim"] = rapid.String().Draw(t, "victim")
		a := auth.SignV3(r, "testid", secret)
		if _, ok := auth.VerifyV3(r, a, secret); !ok {
			t.Fatal("what was signed does not verify")
		}
		switch rapid.IntRange(0, 4).Draw(t, "change") {
		case 0:
			r.Query["Victim"] = changed(t, r.Query["Victim"])
		case 1:
			r.Host = changed(t, r.Host)
		case 2:
			r.Header.Set("x-acs-action", "StopInvocation")
		case 3:
			r.PayloadHash = changed(t, r.PayloadHash)
		case 4:
			a.Signature = changed(t, a.Signature)
		}
		if _, ok := auth.VerifyV3(r, a, secret); ok {
			t.Fatal("a changed request verifies")
		}
	})
}

func TestAuthorizationIsReadStrictly(t *testing.T) {
	hex := strings.Repeat("0a", 32)
	for _, value := range []string{
		"", "ACS3-HMAC-SHA256", "ACS4-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=" + hex,
		"ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host",
		"ACS3-HMAC-SHA256 Credential=,SignedHeaders=host,Signature=" + hex,
		"ACS3-HMAC-SHA256 Credential=a,Credential=b,SignedHeaders=host,Signature=" + hex,
		"ACS3-HMAC-SHA256 Credential=a,SignedHeaders=Host,Signature=" + hex,
		"ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host;host,Signature=" + hex,
		"ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host;,Signature=" + hex,
		"ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=" + hex[1:],
		"ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=" + strings.ToUpper(hex),
		"ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=" + hex + ",More=1",
	} {
		if a, err := auth.ParseAuthorization(value); err == nil {
			t.Errorf("ParseAuthorization(%q) = %+v, want an error", value, a)
		}
	}
}

func FuzzParseAuthorization(f *testing.F) {
	f.Add(auth.ACS3 + " Credential=a,SignedHeaders=host;x-acs-date,Signature=" + strings.Repeat("0a", 32))
	f.Add(auth.ACS3 + " Signature=,Credential=,SignedHeaders=;")
	f.Fuzz(func(t *testing.T, value string) {
		a, err := auth.ParseAuthorization(value)
		if err != nil {
			return
		}
		again, err := auth.ParseAuthorization(a.String())
		if err != nil || again.String() != a.String() {
			t.Errorf("%q reads as %q, which reads as %q, %v", value, a, again, err)
		}
	})
}

func FuzzCanonical(f *testing.F) {
	f.Add("CommandContent", "echo 'a b'*~+ é")
	f.Add("", "\xff&=%\x00")
	f.Fuzz(func(t *testing.T, name, value string) {
		text := auth.Params{name: value, "~": "last"}.Canonical()
		back, err := url.ParseQuery(text)
		if err != nil {
			t.Fatalf("%q does not parse: %v", text, err)
		}
		if want := value; name != "~" && back.Get(name) != want {
			t.Errorf("%q gives %q for %q, want %q", text, back.Get(name), name, want)
		}
		if strings.ContainsAny(text, " +*'\"<>\x00") {
			t.Errorf("%q holds a character that must be escaped", text)
		}
	})
}
