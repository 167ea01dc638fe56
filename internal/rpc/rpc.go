package rpc

import (
	"context"
	"log/slog"
	"net/netip"
	"reflect"
	"time"

	"github.com/orderly-run/orderly"
)

// Window is how far a request's timestamp may be off, either way.
const Window = 15 * time.Minute

// Limits on what a request may hold.
const (
	DefaultMaxBody = 2 << 20 // bytes, when Config.MaxBody is zero
	maxParams      = 20_000
	maxIndex       = 100_000 // of a list element; a larger one is an unknown parameter
	maxNonce       = 256     // bytes
)

// Reasons that Keys and Authorize give, and any action may. They have the published common codes
// in every dialect, unless its own table says otherwise.
const (
	KeyUnknown orderly.Reason = "unknown access key"
	NonceUsed  orderly.Reason = "nonce was used before"
	Forbidden  orderly.Reason = "not allowed by policy"
	Throttled  orderly.Reason = "too many requests"
	Conflict   orderly.Reason = "conflicts with an earlier request"
	Overloaded orderly.Reason = "temporarily unavailable"
)

// An Action is one operation of a dialect, made by [Handle] or [Change].
type Action struct {
	Name     string
	Mutating bool // its nonce is spent durably, and each call leaves one audit line

	call     func(ctx context.Context, c orderly.Caller, p map[string]string, form func(map[string]string) error) (reflect.Value, error)
	response *shape
}

// Handle makes an action that only reads. It panics when Req or Resp has a field that cannot be a
// parameter or a value on the wire.
func Handle[Req, Resp any](name string, fn func(context.Context, orderly.Caller, Req) (Resp, error)) Action {
	plan := planOf(reflect.TypeFor[Req]())
	return Action{
		Name:     name,
		response: responseShape(reflect.TypeFor[Resp]()),
		call: func(ctx context.Context, c orderly.Caller, p map[string]string, form func(map[string]string) error) (reflect.Value, error) {
			var req Req
			if err := plan.decode(reflect.ValueOf(&req).Elem(), p, form); err != nil {
				return reflect.Value{}, err
			}
			resp, err := fn(ctx, c, req)
			return reflect.ValueOf(resp), err
		},
	}
}

// Change makes an action that changes something. It panics as [Handle] does.
func Change[Req, Resp any](name string, fn func(context.Context, orderly.Caller, Req) (Resp, error)) Action {
	a := Handle(name, fn)
	a.Mutating = true
	return a
}

// An API is one dialect.
type API struct {
	Product string // as in "Ecs"
	Version string // as in "2014-05-26": tells the dialects of one server apart
	Realm   string // of its callers: dialects with different ones know nothing of each other's commands
	Actions []Action

	// Codes is the dialect's one table from reasons to what callers see.
	Codes map[orderly.Reason]Code

	// Internal is the answer to an error that has no reason; the zero value is 500 InternalError.
	Internal Code

	// InternalOf has, by their names, the actions that answer such an error otherwise.
	InternalOf map[string]Code

	// Check, when set, judges a permitted request by its parameters before they are decoded: what
	// the dialect has to refuse first, such as an unknown region. Its errors are treated as an
	// action's.
	Check func(c orderly.Caller, action string, params map[string]string) error

	// Form, when set, judges the parameters as they came, once the required ones are found to be
	// there and before the form of each is looked at. Its errors are treated as an action's.
	Form func(params map[string]string) error
}

// A Code is how a refusal is published. An empty Message stands for the error's own words.
type Code struct {
	Status  int
	Code    string
	Message string
}

// A Key is an access key with its secret.
type Key struct {
	ID, Account, Secret string
	Disabled            bool
}

// Keys looks up access keys and remembers the nonces of changes.
type Keys interface {
	// AccessKey returns the key with this ID, or an error that wraps KeyUnknown.
	AccessKey(ctx context.Context, id string) (Key, error)

	// SpendNonce returns nil to exactly one caller for each nonce of a key, on all servers
	// together, and an error that wraps NonceUsed to the others. It may forget after until.
	SpendNonce(ctx context.Context, keyID, nonce string, until time.Time) error
}

// Config is what a Handler needs.
type Config struct {
	APIs []API
	Keys Keys
	Host string       // HostId of error answers
	Log  *slog.Logger // audit lines, faults of ours; nil discards

	MaxBody int64 // bytes of a request body; 0 means DefaultMaxBody

	// TrustedProxies are the peers whose X-Forwarded-For is believed. Empty: nobody's.
	TrustedProxies []netip.Prefix

	// Authorize returns nil when the caller may call the action, else an error that wraps
	// Forbidden or a reason of the dialect. Nil allows everything to every key.
	Authorize func(ctx context.Context, c orderly.Caller, product, action string) error

	// Observe, when set, is told of every answer: the action ("" when unknown), the code ("OK"
	// when it went well) and the time it took.
	Observe func(action, code string, took time.Duration)
}
