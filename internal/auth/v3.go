package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// ACS3 names the V3 scheme in the Authorization header.
const ACS3 = "ACS3-HMAC-SHA256"

// ContentHash is the header that carries the hex SHA-256 of the body in V3.
const ContentHash = "x-acs-content-sha256"

// A Request is what V3 signs. Body hashes are over the bytes as received, before decoding.
type Request struct {
	Method      string
	Path        string
	Query       Params      // decoded; form parameters are not part of it
	Host        string      // as the client wrote it, with a port that is not the default one
	Header      http.Header // without Host
	PayloadHash string      // HashPayload of the body
}

// HashPayload returns the hex SHA-256 of a request body.
func HashPayload(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// An Authorization is the value of a V3 Authorization header.
type Authorization struct {
	KeyID         string
	SignedHeaders []string // lower case, in the order they are signed
	Signature     string   // lower-case hex
}

// String writes the header value that [ParseAuthorization] reads.
func (a Authorization) String() string {
	return ACS3 + " Credential=" + a.KeyID +
		",SignedHeaders=" + strings.Join(a.SignedHeaders, ";") +
		",Signature=" + a.Signature
}

var (
	errScheme    = errors.New("the Authorization header must begin with " + ACS3)
	errPart      = errors.New("the Authorization header must consist of Credential, SignedHeaders and Signature")
	errHeaders   = errors.New("SignedHeaders must be header names in lower case, each once, joined by ;")
	errSignature = errors.New("the Signature must be 64 lower-case hex digits")
)

// ParseAuthorization reads the value of an Authorization header. Its errors are safe to show to
// the caller; with one, the parts that could be read are still returned.
func ParseAuthorization(value string) (Authorization, error) {
	var a Authorization
	rest, ok := strings.CutPrefix(value, ACS3+" ")
	if !ok {
		return a, errScheme
	}
	seen := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, text, ok := strings.Cut(strings.TrimSpace(part), "=")
		if _, twice := seen[name]; !ok || twice {
			return a, errPart
		}
		seen[name] = text
	}
	a.KeyID, a.Signature = seen["Credential"], seen["Signature"]
	if len(seen) != 3 || a.KeyID == "" || a.Signature == "" || seen["SignedHeaders"] == "" {
		return a, errPart
	}
	a.SignedHeaders = strings.Split(seen["SignedHeaders"], ";")
	if !headerNames(a.SignedHeaders) {
		return a, errHeaders
	}
	if !hexDigest(a.Signature) {
		return a, errSignature
	}
	return a, nil
}

func headerNames(names []string) bool {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if name == "" || seen[name] || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
		seen[name] = true
	}
	return true
}

func hexDigest(s string) bool {
	return len(s) == 2*sha256.Size && strings.Trim(s, "0123456789abcdef") == ""
}

// SignableHeaders returns the sorted names of the headers a client signs: host, content-type when
// present, and every x-acs header.
func (r Request) SignableHeaders() []string {
	names := []string{"host"}
	for name := range r.Header {
		if name = strings.ToLower(name); name == "content-type" || strings.HasPrefix(name, "x-acs-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// SignV3 returns the Authorization of the request, signing all of [Request.SignableHeaders].
func SignV3(r Request, keyID, secret string) Authorization {
	a := Authorization{KeyID: keyID, SignedHeaders: r.SignableHeaders()}
	a.Signature = hex.EncodeToString(signV3(r.StringToSign(a.SignedHeaders), secret))
	return a
}

// VerifyV3 reports whether a signs the request, and whether the hash the client announced for its
// body is the hash of the body that came. It returns the string to sign as this side sees it, for
// the message that refuses the request. Which headers had to be signed is the caller's to say.
func VerifyV3(r Request, a Authorization, secret string) (stringToSign string, ok bool) {
	stringToSign = r.StringToSign(a.SignedHeaders)
	want := hex.EncodeToString(signV3(stringToSign, secret))
	ok = subtle.ConstantTimeCompare([]byte(want), []byte(a.Signature)) == 1
	if announced := r.header(ContentHash); announced != "" && announced != r.PayloadHash {
		ok = false
	}
	return stringToSign, ok
}

// StringToSign is the text a V3 signature is made of when the named headers are signed.
func (r Request) StringToSign(signed []string) string {
	return ACS3 + "\n" + HashPayload([]byte(r.canonical(signed)))
}

func (r Request) canonical(signed []string) string {
	var headers strings.Builder
	for _, name := range signed {
		headers.WriteString(name + ":" + r.header(name) + "\n")
	}
	return strings.Join([]string{
		r.Method, r.Path, r.Query.Canonical(), headers.String(), strings.Join(signed, ";"), r.PayloadHash,
	}, "\n")
}

// header returns the value of a header; one that came several times counts with all its values.
// Only what HTTP itself drops around a value is trimmed: whoever reads the header must not see a
// text, such as another nonce, that has the same signature.
func (r Request) header(name string) string {
	if name == "host" {
		return r.Host
	}
	values := r.Header.Values(name)
	if len(values) == 1 {
		return strings.Trim(values[0], " \t")
	}
	return strings.Trim(strings.Join(values, ","), " \t")
}

func signV3(stringToSign, secret string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stringToSign))
	return mac.Sum(nil)
}
