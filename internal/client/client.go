// Package client is a signed client of the public API: it signs, calls, retries where that is safe,
// reads all pages and waits for invocations to end. What it knows of single operations is of the dialect
// ECS 2014-05-26; [Client.Call] calls any operation of any dialect.
//
// Request and response structs carry the published field names. Parameters travel in a form, so
// that their size is not bound by what fits into an address.
package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/orderly-run/orderly/internal/auth"
)

const (
	apiVersion = "2014-05-26"
	maxAnswer  = 256 << 20 // bytes
)

// Config says whom to call as whom.
type Config struct {
	Endpoint string // http://host:port or https://host:port, without a path
	KeyID    string // access key
	Secret   string // of the access key
	Region   string // RegionId of calls that name none

	Version string // of the dialect; "" for 2014-05-26

	CAFile        string       // PEM file of authorities to trust instead of the system's; for https
	CAFingerprint string       // SHA-256 of the only authority to trust, in place of a file
	HTTP          *http.Client // nil for one of the client's own; it then has to trust the authority itself
}

// A Client calls one server with one key. It is safe for concurrent use.
type Client struct {
	cfg  Config
	http *http.Client
}

// New makes a client. It fails when the endpoint cannot be one or CAFile cannot be read; it does
// not connect.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("endpoint %q: want http://host:port or https://host:port", cfg.Endpoint)
	}
	c := &Client{cfg: cfg, http: cfg.HTTP}
	c.cfg.Endpoint = u.Scheme + "://" + u.Host + "/"
	c.cfg.Version = cmp.Or(cfg.Version, apiVersion)
	if c.http == nil {
		transport, err := transport(u.Hostname(), cfg.CAFile, cfg.CAFingerprint)
		if err != nil {
			return nil, err
		}
		c.http = &http.Client{Transport: transport}
	}
	return c, nil
}

// An Error is an answer that refuses the call.
type Error struct {
	Status    int
	Code      string // "" when the answer was not the API's, as from a proxy
	Message   string
	RequestID string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s (status %d, request %s)", e.Code, e.Message, e.Status, e.RequestID)
}

// HTTP is what the client connects with.
func (c *Client) HTTP() *http.Client { return c.http }

// Call calls an action and decodes its answer into out, which may be nil. The parameters are an
// [auth.Params] or a struct as [Flatten] takes it.
//
// A call that fails on the way or with a status of 500 and above is repeated, a few times and
// never beyond ctx, when that is safe: when the action only reads, or when a ClientToken lets the
// server know the call again. A refusal is an [*Error].
func (c *Client) Call(ctx context.Context, action string, params, out any) error {
	p := Flatten(params)
	if p["RegionId"] == "" && c.cfg.Region != "" {
		p["RegionId"] = c.cfg.Region
	}
	safe := reads(action) || p["ClientToken"] != ""
	for attempt := 0; ; attempt++ {
		body, err := c.once(ctx, action, p)
		if err == nil {
			return decode(action, body, out)
		}
		if !safe || attempt == len(pauses) || !transient(err) {
			return fmt.Errorf("%s: %w", action, err)
		}
		if sleep(ctx, jitter(pauses[attempt])) != nil {
			return fmt.Errorf("%s: %w", action, err)
		}
	}
}

func decode(action string, body []byte, out any) error {
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("%s: read the answer: %w", action, err)
	}
	return nil
}

// once makes one request, with a nonce, a timestamp and a signature of its own.
func (c *Client) once(ctx context.Context, action string, p auth.Params) ([]byte, error) {
	req, err := c.request(ctx, action, []byte(p.Canonical()))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode != http.StatusOK { // also when the connection was cut behind the status
		return nil, refusal(resp.StatusCode, body)
	}
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	return body, nil
}

func (c *Client) request(ctx context.Context, action string, form []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.Endpoint, bytes.NewReader(form))
	if err != nil {
		return nil, err
	}
	hash := auth.HashPayload(form)
	for name, value := range map[string]string{
		"Accept":                "application/json",
		"Content-Type":          "application/x-www-form-urlencoded",
		"x-acs-action":          action,
		"x-acs-version":         c.cfg.Version,
		"x-acs-date":            time.Now().UTC().Format("2006-01-02T15:04:05Z"),
		"x-acs-signature-nonce": rand.Text(),
		auth.ContentHash:        hash,
	} {
		req.Header.Set(name, value)
	}
	signed := auth.Request{Method: req.Method, Path: "/", Host: req.Host, Header: req.Header, PayloadHash: hash}
	req.Header.Set("Authorization", auth.SignV3(signed, c.cfg.KeyID, c.cfg.Secret).String())
	return req, nil
}

func refusal(status int, body []byte) error {
	var envelope struct{ Code, Message, RequestId string }
	if json.Unmarshal(body, &envelope) != nil || envelope.Code == "" {
		return &Error{Status: status, Message: http.StatusText(status)}
	}
	return &Error{status, envelope.Code, envelope.Message, envelope.RequestId}
}

// reads reports whether an action changes nothing, which its name says.
func reads(action string) bool {
	return strings.HasPrefix(action, "Describe") || strings.HasPrefix(action, "List")
}

// transient reports whether the same call may do better later.
func transient(err error) bool {
	var refused *Error
	if errors.As(err, &refused) {
		return refused.Status >= http.StatusInternalServerError
	}
	var untrusted *tls.CertificateVerificationError
	return !errors.As(err, &untrusted) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}
