package rpc

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/orderly-run/orderly"
)

// A Handler serves the API. It is safe for concurrent use.
type Handler struct {
	cfg     Config
	keys    Keys
	log     *slog.Logger
	maxBody int64
	apis    map[string]*dialect // by version
	nonces  nonces
}

// A dialect is an API with its actions by name.
type dialect struct {
	API
	actions map[string]*Action
}

// New makes a Handler. It panics when two APIs have one version or two actions of one have one name.
func New(cfg Config) *Handler {
	h := &Handler{
		cfg: cfg, keys: cfg.Keys, log: cfg.Log, maxBody: cfg.MaxBody,
		apis: map[string]*dialect{}, nonces: nonces{keys: map[string]*keyNonces{}},
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.maxBody == 0 {
		h.maxBody = DefaultMaxBody
	}
	for _, api := range cfg.APIs {
		if h.apis[api.Version] != nil {
			panic("rpc: two APIs have the version " + api.Version)
		}
		d := &dialect{API: api, actions: map[string]*Action{}}
		for i, a := range api.Actions {
			if d.actions[a.Name] != nil {
				panic("rpc: two actions of " + api.Product + " are named " + a.Name)
			}
			d.actions[a.Name] = &api.Actions[i]
		}
		h.apis[api.Version] = d
	}
	return h
}

// A call is one request on its way, as far as it has come.
type call struct {
	caller orderly.Caller
	api    *dialect // never nil; without actions until the version is known
	action *Action  // nil until known
	signed bool     // the caller is who it says
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	c := &call{api: &dialect{}, caller: orderly.Caller{RequestID: newRequestID(), SourceIP: h.sourceIP(r)}}
	req, err := h.read(w, r)
	var value reflect.Value
	if err == nil {
		value, err = h.serve(r.Context(), c, req)
	}
	status, code, body := h.answer(r.Context(), c, req, value, err)
	h.write(w, req, status, c.caller.RequestID, body)
	h.audit(r.Context(), c, code)
	if h.cfg.Observe != nil {
		h.cfg.Observe(c.name(), code, time.Since(began))
	}
}

// serve makes the checks in their order and calls the action. A panic on the way is an error
// without a reason.
func (h *Handler) serve(ctx context.Context, c *call, req *request) (value reflect.Value, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if err := h.find(c, req); err != nil {
		return value, err
	}
	key, until, err := h.authenticate(ctx, req)
	if err != nil {
		return value, err
	}
	c.caller.Account, c.caller.Realm, c.caller.KeyID, c.signed = key.Account, c.api.Realm, key.ID, true
	if err := h.spend(ctx, req, c.action.Mutating, until); err != nil {
		return value, err
	}
	if h.cfg.Authorize != nil {
		if err := h.cfg.Authorize(ctx, c.caller, c.api.Product, c.action.Name); err != nil {
			return value, err
		}
	}
	if c.api.Check != nil {
		if err := c.api.Check(c.caller, c.action.Name, req.params); err != nil {
			return value, err
		}
	}
	return c.action.call(ctx, c.caller, req.params, c.api.Form)
}

func (h *Handler) find(c *call, req *request) error {
	if req.action == "" {
		return missing("Action")
	}
	if req.version == "" {
		return missing("Version")
	}
	api := h.apis[req.version]
	if api == nil {
		return refuse(http.StatusBadRequest, "InvalidVersion", "The specified version is not supported.")
	}
	c.api = api
	if c.action = api.actions[req.action]; c.action == nil || req.http.URL.Path != "/" {
		c.action = nil
		return refuse(http.StatusNotFound, "InvalidAction.NotFound", "The specified action does not exist.")
	}
	return nil
}

// errorBody is the error envelope; its RequestId is put in front as in every answer.
type errorBody struct{ HostId, Code, Message string }

var errorShape = shapeOf(reflect.TypeFor[errorBody]())

// answer encodes what came of a call, and logs the cause of a fault of ours.
func (h *Handler) answer(ctx context.Context, c *call, req *request, value reflect.Value, err error) (status int, code string, body []byte) {
	root, shape, status, code := "Error", errorShape, http.StatusOK, "OK"
	if err == nil {
		root, shape = c.action.Name+"Response", c.action.response
	} else {
		e, fault := c.api.published(c.name(), err)
		if fault {
			h.log.ErrorContext(ctx, "request failed", "request", c.caller.RequestID, "action", c.name(), "error", err)
		}
		value = reflect.ValueOf(errorBody{h.cfg.Host, e.Code, e.Message})
		status, code = e.Status, e.Code
	}
	if req.xml {
		return status, code, encodeXML(root, c.caller.RequestID, value, shape)
	}
	return status, code, encodeJSON(c.caller.RequestID, value, shape)
}

// name is the action's, or "" for one that does not exist: callers must not name our metrics.
func (c *call) name() string {
	if c.action == nil {
		return ""
	}
	return c.action.Name
}

func (h *Handler) write(w http.ResponseWriter, req *request, status int, id string, body []byte) {
	contentType := "application/json;charset=utf-8"
	if req.xml {
		contentType = "text/xml;charset=utf-8"
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("x-acs-request-id", id)
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has left gets no answer
}

// audit leaves one line for each change that a known caller asked for, done or refused.
func (h *Handler) audit(ctx context.Context, c *call, code string) {
	if !c.signed || !c.action.Mutating {
		return
	}
	h.log.InfoContext(ctx, "audit", "action", c.action.Name, "account", c.caller.Account,
		"key", c.caller.KeyID, "source", c.caller.SourceIP, "request", c.caller.RequestID, "code", code)
}

// newRequestID makes an upper-case UUID (ID-3).
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// sourceIP is the peer's address or, behind trusted proxies, the last address of X-Forwarded-For
// that is not a trusted proxy itself: those before it are only the client's word.
func (h *Handler) sourceIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(forwarded) - 1; i >= 0 && h.trusted(host); i-- {
		addr, err := netip.ParseAddr(strings.TrimSpace(forwarded[i]))
		if err != nil {
			break
		}
		host = addr.String()
	}
	return host
}

func (h *Handler) trusted(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && slices.ContainsFunc(h.cfg.TrustedProxies, func(p netip.Prefix) bool {
		return p.Contains(addr.Unmap())
	})
}
