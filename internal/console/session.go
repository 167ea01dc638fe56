package console

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/orderly-run/orderly/internal/store"
)

// A session is a row that all servers of a database see. The browser holds a random text; the row has
// its hash, so that a copy of the database opens no session. It ends when it was idle, when it is old,
// on sign-out, and with its access key.

const (
	plainCookie  = "orderly-console"
	secureCookie = "__Host-orderly-console"
	themeCookie  = "orderly-theme"
)

// touch is how often the use of a session is noted.
const touch = time.Minute

// encrypted reports whether the browser talks TLS, to us or to a proxy before us. A liar gets a cookie
// that its own browser will not send back.
func encrypted(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

// cookie is how a session is kept by the browser; "" ends it.
func cookie(r *http.Request, value string) *http.Cookie {
	k := &http.Cookie{Name: plainCookie, Value: value, Path: Root, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if encrypted(r) {
		k.Name, k.Path, k.Secure = secureCookie, "/", true
	}
	if value == "" {
		k.MaxAge = -1
	}
	return k
}

// held is the ID of the session that the browser says it has, "" for none.
func held(r *http.Request) string {
	k, err := r.Cookie(cookie(r, "").Name)
	if err != nil || k.Value == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(k.Value))
	return hex.EncodeToString(sum[:])
}

// enter finds the session of a visit and acts for its account from then on.
func (c *Console) enter(v *visit) error {
	s, err := c.sessionOf(v)
	if err != nil {
		return err
	}
	if c.since(s.Seen) > touch && !live(v.Request) {
		err := c.cfg.Store.Write(v.Context(), store.Interactive, func(tx *store.Tx) error { return tx.SessionUsed(s.ID) })
		if err != nil {
			return err
		}
	}
	v.session, v.caller.Account, v.caller.KeyID = s, s.Account, s.KeyID
	return nil
}

// sessionOf finds the session of a visit that is neither idle nor old.
func (c *Console) sessionOf(v *visit) (store.Session, error) {
	id := held(v.Request)
	if id == "" {
		return store.Session{}, errSignIn
	}
	s, err := c.cfg.Store.Session(v.Context(), id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (c.since(s.Seen) > c.cfg.Idle || c.since(s.Created) > c.cfg.Life) {
		err = errSignIn
	}
	return s, err
}

// live reports whether a page asks by itself, which is no sign that anybody is there.
func live(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/live") }

type signIn struct{ KeyID, Next string }

func (c *Console) signInPage(v *visit) error {
	if c.enter(v) == nil {
		return v.to(local(v.FormValue("next")))
	}
	return c.show(v, http.StatusOK, "sign-in", &frame{Title: "Sign in"}, signIn{Next: v.FormValue("next")})
}

// local is a path of the console, whatever somebody wrote into a link.
func local(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.Path, Root) || strings.Contains(path, `\`) {
		return Root
	}
	return u.RequestURI()
}

func (c *Console) sendToSignIn(v *visit) {
	target := Root + "sign-in"
	if v.Method == http.MethodGet && !live(v.Request) {
		target += "?next=" + url.QueryEscape(v.URL.RequestURI())
	}
	if v.Header.Get("HX-Request") != "" {
		v.w.Header().Set("HX-Redirect", target)
		v.w.WriteHeader(http.StatusNoContent)
		return
	}
	http.Redirect(v.w, v.Request, target, http.StatusSeeOther)
}

// signIn begins a session with an access key. Who fails has to wait, longer each time: the address and
// the key each for itself, so that neither is tried out in parallel.
func (c *Console) signIn(v *visit) error {
	id, secret := strings.TrimSpace(v.PostFormValue("key")), strings.TrimSpace(v.PostFormValue("secret"))
	who := []string{"address " + v.caller.SourceIP, "key " + id[:min(len(id), longestName)]}
	refuse := func(text string) error {
		return c.show(v, http.StatusForbidden, "sign-in", &frame{Title: "Sign in", Error: text}, signIn{id, v.PostFormValue("next")})
	}
	if wait := c.failures.wait(time.Now(), who...); wait > 0 {
		v.w.Header().Set("Retry-After", seconds(wait))
		return refuse("Too many attempts failed. Try again in " + seconds(wait) + " s.")
	}
	k, err := c.cfg.Store.Key(v.Context(), id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	v.caller.KeyID, v.caller.Account = k.ID, k.Account
	if err != nil || k.Disabled || subtle.ConstantTimeCompare([]byte(k.Secret), []byte(secret)) != 1 {
		c.failures.add(time.Now(), who...)
		c.log.WarnContext(v.Context(), "sign-in refused", "source", v.caller.SourceIP, "request", v.caller.RequestID)
		return refuse("This access key ID and secret do not belong together, or the key is disabled.")
	}
	c.failures.forget(who[1])
	token := rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(token))
	err = c.cfg.Store.Write(v.Context(), store.Interactive, func(tx *store.Tx) error {
		return tx.AddSession(hex.EncodeToString(sum[:]), k.ID, tx.Now.Add(-max(c.cfg.Idle, c.cfg.Life)))
	})
	c.audit(v, "SignIn", err)
	if err != nil {
		return err
	}
	http.SetCookie(v.w, cookie(v.Request, token))
	return v.to(local(v.PostFormValue("next")))
}

func (c *Console) signOut(v *visit) error {
	if id := held(v.Request); id != "" {
		if err := c.cfg.Store.Write(v.Context(), store.Interactive, func(tx *store.Tx) error { return tx.EndSession(id) }); err != nil {
			return err
		}
	}
	http.SetCookie(v.w, cookie(v.Request, ""))
	return v.to(Root + "sign-in")
}

// setTheme keeps how the user wants pages to look.
func (c *Console) setTheme(v *visit) error {
	theme := v.PostFormValue("theme")
	k := &http.Cookie{Name: themeCookie, Value: theme, Path: Root, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: encrypted(v.Request), MaxAge: 365 * 24 * 3600}
	if theme != "light" && theme != "dark" {
		k.Value, k.MaxAge = "", -1
	}
	http.SetCookie(v.w, k)
	return v.to(local(v.PostFormValue("back")))
}

func (c *Console) home(v *visit) error {
	if err := c.enter(v); err != nil {
		return err
	}
	return v.to(in(c.cfg.Engine.Regions()[0], "fleet"))
}

func (c *Console) nothing(*visit) error { return errNowhere }
