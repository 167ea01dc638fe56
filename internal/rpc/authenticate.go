package rpc

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/orderly-run/orderly/internal/auth"
)

// mustSign are the V3 headers that decide what a request means. Without their signature they
// could be changed on the way.
var mustSign = []string{"host", "x-acs-action", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"}

// drift is how much longer nonces are remembered, for the clocks of servers and of the store differ
// by some seconds, and by some minutes where the store follows a clock that was set.
const drift = 6 * time.Minute

// authenticate makes the checks from the required common parameters to the signature. It returns
// the key that signed and until when the request's nonce has to be remembered.
func (h *Handler) authenticate(ctx context.Context, req *request) (Key, time.Time, error) {
	if err := req.complete(); err != nil {
		return Key{}, time.Time{}, err
	}
	at, err := time.Parse("2006-01-02T15:04:05Z", req.timestamp)
	if err != nil {
		return Key{}, time.Time{}, refuse(http.StatusBadRequest, "IllegalTimestamp",
			"The timestamp must have the form yyyy-MM-ddTHH:mm:ssZ.")
	}
	if off := time.Since(at); off > Window || off < -Window {
		return Key{}, time.Time{}, refuse(http.StatusBadRequest, "InvalidTimeStamp.Expired",
			"The specified timestamp is more than 15 minutes off.")
	}
	key, err := h.keys.AccessKey(ctx, req.keyID)
	if err != nil {
		return Key{}, time.Time{}, err
	}
	if key.Disabled {
		return Key{}, time.Time{}, refuse(http.StatusForbidden, "Forbidden.AccessKeyDisabled", "The access key is disabled.")
	}
	if req.securityToken != "" {
		return Key{}, time.Time{}, refuse(http.StatusBadRequest, "InvalidSecurityToken.Malformed",
			"The specified security token is not one of this server.")
	}
	return key, at.Add(Window + drift), req.verify(key.Secret)
}

// complete checks that the common parameters are there and are of a kind that this server knows.
// An Authorization that cannot be read is not missing: it is refused with its reason.
func (req *request) complete() error {
	if req.v3 {
		return req.completeV3()
	}
	p := req.params
	for _, name := range []string{"AccessKeyId", "Signature", "SignatureNonce", "Timestamp"} {
		if p[name] == "" {
			return missing(name)
		}
	}
	if m := p["SignatureMethod"]; m != "" && m != auth.HMACSHA1 && m != auth.HMACSHA256 {
		return refuse(http.StatusBadRequest, "InvalidParamater", "The specified SignatureMethod is not supported.")
	}
	if v := p["SignatureVersion"]; v != "" && v != "1.0" {
		return refuse(http.StatusBadRequest, "InvalidParamater", "The specified SignatureVersion is not supported.")
	}
	if p["SignatureType"] != "" {
		return badParameter("The specified SignatureType is not supported.")
	}
	if f := p["Format"]; f != "" && !strings.EqualFold(f, "JSON") && !strings.EqualFold(f, "XML") {
		return badParameter("The specified Format is neither JSON nor XML.")
	}
	return req.plainNames()
}

func (req *request) completeV3() error {
	given := req.http.Header.Get("Authorization")
	if scheme, _, _ := strings.Cut(given, " "); given != "" && scheme != auth.ACS3 {
		return refuse(http.StatusBadRequest, "InvalidParamater", "The signature method %.40q is not supported.", scheme)
	}
	if given == "" {
		return missing("Authorization")
	}
	if req.malformed != nil {
		return req.incomplete(req.signable().SignableHeaders(), req.malformed.Error())
	}
	if req.nonce == "" {
		return missing("x-acs-signature-nonce")
	}
	if req.timestamp == "" {
		return missing("x-acs-date")
	}
	return req.plainNames()
}

// plainNames refuses what no key and no nonce is: the store is asked for both before anybody is
// known, and not every database takes every text.
func (req *request) plainNames() error {
	switch {
	case len(req.nonce) > maxNonce:
		return badParameter("The specified SignatureNonce is too long.")
	case !printable(req.nonce):
		return badParameter("The specified SignatureNonce is not printable ASCII.")
	case !printable(req.keyID):
		return KeyUnknown
	}
	return nil
}

func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// verify checks the signature. The words of a mismatch, up to the string to sign, are what the
// vendor's Go client looks for to tell a wrong secret from a wrong string.
func (req *request) verify(secret string) error {
	text, ok := "", false
	if req.v3 {
		if signed := req.authorization.SignedHeaders; !req.signsEnough(signed) {
			return req.incomplete(signed, "SignedHeaders must name host, the x-acs headers of the request and the type of its body.")
		}
		text, ok = auth.VerifyV3(req.signable(), req.authorization, secret)
	} else if text, ok = auth.VerifyV1(req.http.Method, req.params, secret); !auth.WellFormedV1(req.params) {
		return refuse(http.StatusBadRequest, "IncompleteSignature", incomplete+"%s", text)
	}
	if !ok {
		return refuse(http.StatusBadRequest, "SignatureDoesNotMatch",
			"Specified signature is not matched with our calculation. server string to sign is:%s", text)
	}
	return nil
}

const incomplete = "The request signature does not conform to the standard. server string to sign is:"

func (req *request) incomplete(signed []string, why string) error {
	return refuse(http.StatusBadRequest, "IncompleteSignature", "%s %s%s", why, incomplete, req.signable().StringToSign(signed))
}

func (req *request) signsEnough(signed []string) bool {
	for _, name := range mustSign {
		if !slices.Contains(signed, name) {
			return false
		}
	}
	if len(req.body) > 0 && req.http.Header.Get("Content-Type") != "" && !slices.Contains(signed, "content-type") {
		return false // it decides whether the body holds parameters
	}
	return req.http.Header.Get(auth.ContentHash) == "" || slices.Contains(signed, auth.ContentHash)
}

// spend uses up the nonce. Memory refuses a replay of a read, and at once; only the store, which
// all servers share, decides over a change.
func (h *Handler) spend(ctx context.Context, req *request, mutating bool, until time.Time) error {
	if !h.nonces.spend(req.keyID, req.nonce, until) {
		return NonceUsed
	}
	if !mutating {
		return nil
	}
	return h.keys.SpendNonce(ctx, req.keyID, req.nonce, until)
}
