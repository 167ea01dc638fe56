package rpc

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/orderly-run/orderly/internal/auth"
)

// The name of the form encoding, the only body that holds parameters.
const formType = "application/x-www-form-urlencoded"

// A request is what arrived, read but not yet believed.
type request struct {
	http   *http.Request
	v3     bool
	xml    bool        // the answer's format
	query  auth.Params // of the query alone
	params auth.Params // of query and form; in both, the form wins
	body   []byte

	// The common parameters of V1, the headers of V3.
	action, version, keyID, nonce, timestamp, securityToken string

	authorization auth.Authorization // of V3
	malformed     error              // why the Authorization cannot be read
}

// read takes the request in. With an error the request is filled as far as it was readable, so
// that the answer can have the format that was asked for.
func (h *Handler) read(w http.ResponseWriter, r *http.Request) (*request, error) {
	req := &request{http: r, query: auth.Params{}, params: auth.Params{}}
	err := parse(r.URL.RawQuery, req.query)
	for name, value := range req.query {
		req.params[name] = value
	}
	if err == nil && supported(r.Method) {
		err = req.readBody(w, h.maxBody)
	}
	req.recognize()
	switch {
	case !supported(r.Method):
		err = refuse(http.StatusForbidden, "UnsupportedHTTPMethod", "The HTTP method %s is not supported.", r.Method)
	case err == nil && len(req.params) > maxParams:
		err = errTooMany
	}
	return req, err
}

func supported(method string) bool { return method == http.MethodGet || method == http.MethodPost }

var (
	errTooMany  = badParameter("too many parameters")
	errTooLarge = badParameter("request body too large")
)

func (req *request) readBody(w http.ResponseWriter, limit int64) error {
	r := req.http
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close")
		return errTooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return errTooLarge
	case errors.Is(err, Overloaded):
		w.Header().Set("Connection", "close") // the rest is not waited for
		return err
	case err != nil:
		return badParameter("the request body cannot be read")
	}
	req.body = body
	if r.Method != http.MethodPost || !isForm(r.Header.Get("Content-Type")) {
		return nil
	}
	form := auth.Params{}
	err = parse(string(body), form)
	for name, value := range form {
		req.params[name] = value
	}
	return err
}

// isForm reports whether a body of this type holds parameters. Some clients name no type.
func isForm(contentType string) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	return contentType == "" || media == formType
}

// parse reads form data into p. Of parameters that come twice in it, the first counts. It holds
// what came before an error.
func parse(text string, p auth.Params) error {
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return badParameter("a parameter name is not well escaped")
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return badParameter("the value of a parameter is not well escaped")
		}
		if _, twice := p[name]; twice {
			continue
		}
		if len(p) == maxParams {
			return errTooMany
		}
		p[name] = value
	}
	return nil
}

// recognize tells V3 from V1 and finds the common parameters.
func (req *request) recognize() {
	h, p := req.http.Header, req.params
	authorization := h.Get("Authorization")
	req.v3 = strings.HasPrefix(authorization, "ACS") ||
		p["Action"] == "" && p["Signature"] == "" && h.Get("x-acs-action") != ""
	if !req.v3 {
		req.xml = !strings.EqualFold(p["Format"], "JSON")
		req.action, req.version, req.keyID = p["Action"], p["Version"], p["AccessKeyId"]
		req.nonce, req.timestamp, req.securityToken = p["SignatureNonce"], p["Timestamp"], p["SecurityToken"]
		return
	}
	accept := strings.ToLower(h.Get("Accept"))
	req.xml = strings.Contains(accept, "xml") && !strings.Contains(accept, "json")
	req.action, req.version = h.Get("x-acs-action"), h.Get("x-acs-version")
	req.nonce, req.timestamp = h.Get("x-acs-signature-nonce"), h.Get("x-acs-date")
	req.securityToken = h.Get("x-acs-security-token")
	if authorization != "" {
		req.authorization, req.malformed = auth.ParseAuthorization(authorization)
		req.keyID = req.authorization.KeyID
	}
}

// signable is the request as V3 signs it.
func (req *request) signable() auth.Request {
	r := req.http
	return auth.Request{
		Method: r.Method, Path: r.URL.EscapedPath(), Query: req.query, Host: r.Host,
		Header: r.Header, PayloadHash: auth.HashPayload(req.body),
	}
}
