package console

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// maxForm is how many bytes a form may have: a script of the largest size, and what stands beside it.
const maxForm = 256 << 10

// A visit is one request on its way to its answer.
type visit struct {
	*http.Request
	w       http.ResponseWriter
	caller  orderly.Caller
	session store.Session
	region  string
	secret  bool // the page shows one
}

// A handler answers a visit, or returns why it cannot: errors are rendered in one place.
type handler func(*visit) error

// An action changes something; its name is that of the API's operation that does the same.
type action struct {
	name string
	do   handler
}

// Why a visit is not answered with what it asked for, beside the domain's reasons.
var (
	errNowhere = errors.New("there is no such page")
	errSignIn  = errors.New("sign in first")
	errOrigin  = errors.New("the request does not come from a page of this console")
)

// open serves visits that need no session.
func (c *Console) open(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{Request: r, w: w, caller: orderly.Caller{RequestID: rand.Text(), SourceIP: address(r)}}
		secure(w.Header())
		w.Header().Set("Cache-Control", "no-store")
		if err := c.answer(v, h); err != nil {
			c.fail(v, err)
		}
	})
}

// answer calls a handler; a panic in it is an error of ours.
func (c *Console) answer(v *visit, h handler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	v.Body = http.MaxBytesReader(v.w, v.Body, maxForm)
	if err := c.origin(v.Request); err != nil {
		return err
	}
	if err := v.ParseForm(); err != nil {
		return orderly.ContentTooLong
	}
	return h(v)
}

// origin refuses changes that another site has a browser ask for. Every browser says where a form comes
// from; what does not say it is no browser, and has the API.
func (c *Console) origin(r *http.Request) error {
	if r.Method != http.MethodPost {
		return nil
	}
	if r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Site") == "" || c.guard.Check(r) != nil {
		return errOrigin
	}
	return nil
}

// closedTo serves visits with a session, in a region that exists.
func (c *Console) closedTo(h handler) http.Handler {
	return c.open(func(v *visit) error {
		if err := c.enter(v); err != nil {
			return err
		}
		if v.region = v.PathValue("region"); !slices.Contains(c.cfg.Engine.Regions(), v.region) {
			return errNowhere
		}
		return h(v)
	})
}

// audited is closedTo for changes, each of which leaves one line in the log, done or refused.
func (c *Console) audited(a action) http.Handler {
	return c.closedTo(func(v *visit) error {
		err := a.do(v)
		shown := answered{}
		if errors.As(err, &shown) {
			c.audit(v, a.name, shown.why)
			return nil
		}
		c.audit(v, a.name, err)
		return err
	})
}

// answered says why something was refused when a page has told so already: the form with its mistake.
type answered struct{ why error }

func (a answered) Error() string { return a.why.Error() }

func (c *Console) audit(v *visit, action string, err error) {
	code := "OK"
	if err != nil {
		code = "InternalError"
		if reason := orderly.Reason(""); errors.As(err, &reason) {
			code = string(reason)
		}
	}
	c.log.InfoContext(v.Context(), "audit", "action", action, "account", v.caller.Account, "key", v.caller.KeyID,
		"source", v.caller.SourceIP, "request", v.caller.RequestID, "code", code, "via", "console")
}

// address is where a request came from.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// secure sets the headers of every answer: only files of this server are run, shown or asked, and nobody
// may frame a page or learn where a link was followed from.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
}

func takesGzip(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
}

// write sends a page, compressed unless it shows a secret: who can have a page made with a text of his own
// beside a secret, again and again, and sees how long the answers are, could guess the secret from that
// (BREACH). Other pages hold none: no token guards their forms (see origin), and the session is in a cookie.
// Texts of machines beside a search that is repeated are out of reach too: browsers send the cookie with
// nothing that another site embeds or fetches.
func (v *visit) write(status int, page []byte) {
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Vary", "Accept-Encoding, HX-Request")
	if v.secret || !takesGzip(v.Request) {
		v.w.WriteHeader(status)
		v.w.Write(page)
		return
	}
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // a level that exists
	_, _ = z.Write(page)                            // into memory
	_ = z.Close()
	h.Set("Content-Encoding", "gzip")
	v.w.WriteHeader(status)
	v.w.Write(b.Bytes())
}

// to sends the browser to another page, as after a change.
func (v *visit) to(path string) error {
	http.Redirect(v.w, v.Request, path, http.StatusSeeOther)
	return nil
}

// in is the path of a page of the region; texts between slashes are escaped.
func (v *visit) in(parts ...string) string { return in(v.region, parts...) }

// fail renders an error. What is ours is logged and not shown.
func (c *Console) fail(v *visit, err error) {
	if errors.Is(err, errSignIn) {
		c.sendToSignIn(v)
		return
	}
	title, status, text := "Not done", http.StatusInternalServerError, "Something went wrong on the server. Its log has the cause under request "+v.caller.RequestID+"."
	reason := orderly.Reason("")
	switch {
	case errors.Is(err, errNowhere), errors.Is(err, store.ErrNotFound):
		title, status, text = "Not found", http.StatusNotFound, "There is no such page."
	case errors.Is(err, errOrigin):
		status, text = http.StatusForbidden, "The request does not come from a page of this console."
	case errors.As(err, &reason):
		status, text = statusOf(reason), explain(err)
	case errors.Is(err, context.Canceled):
		return // nobody is there
	default:
		c.log.ErrorContext(v.Context(), "request failed", "request", v.caller.RequestID, "path", v.URL.Path, "error", err)
	}
	if err := c.show(v, status, "error", &frame{Title: title}, text); err != nil {
		c.log.ErrorContext(v.Context(), "request failed", "request", v.caller.RequestID, "path", v.URL.Path, "error", err)
	}
}

// missing are the reasons that say that there is no such thing.
var missing = []orderly.Reason{
	orderly.InstanceUnknown, orderly.InvocationUnknown, orderly.CommandUnknown, orderly.ActivationUnknown, orderly.RegionUnknown, orderly.ResourceUnknown,
}

func statusOf(r orderly.Reason) int {
	if slices.Contains(missing, r) {
		return http.StatusNotFound
	}
	return http.StatusUnprocessableEntity
}

// explain is what a person is told of an error that has a reason: the words before it are about our own
// workings.
func explain(err error) string {
	reason := orderly.Reason("")
	if !errors.As(err, &reason) {
		return err.Error()
	}
	_, detail, _ := strings.Cut(err.Error(), string(reason))
	text := strings.ToUpper(string(reason[:1])) + string(reason[1:])
	return text + strings.TrimSuffix(detail, ".") + "."
}

// refusal is the text of an error that has a reason, for a form that is shown again; other errors are
// not for people.
func refusal(err error) (text string, ok bool) {
	reason := orderly.Reason("")
	if !errors.As(err, &reason) {
		return "", false
	}
	return explain(err), true
}

// since is how long ago a time is.
func (c *Console) since(t time.Time) time.Duration { return c.cfg.Store.Now().Sub(t) }
