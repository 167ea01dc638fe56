package console_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly/internal/console"
	"github.com/orderly-run/orderly/internal/store"
)

func TestNothingIsShownWithoutSession(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id := h.machine(h.mine, "web-1")
		v := h.ran(h.mine, "true", id)
		b := h.browser()
		for _, path := range []string{"fleet", "fleet/" + id, "invocations", "invocations/" + v.ID, "invocations/" + v.ID + "/live", "invocations/" + v.ID + "/on/" + id, "nothing"} {
			r := b.get(root + path)
			if r.status != http.StatusSeeOther || !strings.HasPrefix(r.header.Get("Location"), "/console/sign-in") || strings.Contains(r.body, "web-1") {
				t.Errorf("GET %s = %d to %q, want the way to sign in", path, r.status, r.header.Get("Location"))
			}
		}
		if r := h.in(h.mine).get(root + "nothing"); r.status != http.StatusNotFound || !strings.Contains(r.body, `<nav class="menu"`) {
			t.Errorf("GET nothing with a session = %d, want 404 with the menu\n%s", r.status, r.body)
		}
		if r := b.post(root + "fleet/" + id + "/remove"); r.status != http.StatusSeeOther || !strings.Contains(h.in(h.mine).page(root+"fleet"), "web-1") {
			t.Errorf("remove without a session = %d", r.status)
		}
	})
}

func TestSessionIsSafeFromScriptsAndSites(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		b := h.browser()
		r := b.post("/console/sign-in", "key", h.mine.ID, "secret", h.mine.Secret, "next", root+"invocations?status=Failed")
		if got := r.header.Get("Set-Cookie"); !strings.Contains(got, "HttpOnly") || !strings.Contains(got, "SameSite=Lax") || !strings.Contains(got, "Path=/console/") {
			t.Errorf("cookie = %q", got)
		}
		if got, want := r.header.Get("Location"), root+"invocations?status=Failed"; got != want {
			t.Errorf("signed in to %q, want %q", got, want)
		}
		for _, next := range []string{"https://evil.example/console/", "//evil.example/console/", `/\evil.example`, "javascript:alert(1)", "/elsewhere", "%zz"} {
			if r := h.browser().post("/console/sign-in", "key", h.mine.ID, "secret", h.mine.Secret, "next", next); r.header.Get("Location") != "/console/" {
				t.Errorf("next %q leads to %q, want the console", next, r.header.Get("Location"))
			}
		}
		id := h.machine(h.mine, "web-1")
		for _, origin := range []string{"https://evil.example", "null", ""} {
			b.origin = origin
			if r := b.post(root+"fleet/"+id+"/rename", "name", "stolen"); r.status != http.StatusForbidden {
				t.Errorf("a form of %q = %d, want 403", origin, r.status)
			}
		}
		if page := b.page(root + "fleet"); strings.Contains(page, "stolen") {
			t.Error("another site has renamed a machine")
		}
	})
}

func TestCookieIsForTLSOnlyWhereThereIsSome(t *testing.T) {
	h := build(t, filepath.Join(t.TempDir(), "orderly.db"), console.Config{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.server.URL+"/console/sign-in", strings.NewReader("key="+h.mine.ID+"&secret="+h.mine.Secret))
	must(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", h.server.URL)
	req.Header.Set("X-Forwarded-Proto", "https")
	r := h.browser().do(req, nil)
	if got := r.header.Get("Set-Cookie"); !strings.HasPrefix(got, "__Host-orderly-console=") || !strings.Contains(got, "Secure") || !strings.Contains(got, "Path=/;") {
		t.Errorf("behind TLS the cookie is %q", got)
	}
}

func TestSessionEndsOnSignOutAndWithItsKey(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		b := h.in(h.mine)
		jar := b.client.Jar
		b.page(root + "fleet")
		if r := b.post("/console/sign-out"); r.status != http.StatusSeeOther {
			t.Errorf("sign out = %d", r.status)
		}
		b.client.Jar = jar
		if r := b.get(root + "fleet"); r.status != http.StatusSeeOther {
			t.Errorf("after sign-out: %d, want the way to sign in", r.status)
		}
		kept := h.in(h.mine)
		must(t, h.db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error { return tx.DisableKey(h.mine.ID) }))
		if r := kept.get(root + "fleet"); r.status != http.StatusSeeOther {
			t.Errorf("with a disabled key: %d, want the way to sign in", r.status)
		}
		if r := h.browser().post("/console/sign-in", "key", h.mine.ID, "secret", h.mine.Secret); r.status != http.StatusForbidden {
			t.Errorf("sign in with a disabled key = %d, want 403", r.status)
		}
	})
}

// Any of several servers, and one that was started again, knows a session.
func TestSessionOutlivesItsServer(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		b := h.in(h.mine)
		other := console.New(console.Config{Engine: h.engine, Fleet: h.fleet, Store: h.db})
		defer other.Close()
		h.server.Config.Handler = other
		b.page(root + "fleet")
	})
}

func TestSessionEndsWhenIdleAndWhenOld(t *testing.T) {
	for name, cfg := range map[string]console.Config{"idle": {Idle: time.Nanosecond}, "old": {Life: time.Nanosecond}} {
		t.Run(name, func(t *testing.T) {
			h := build(t, filepath.Join(t.TempDir(), "orderly.db"), cfg)
			b := h.in(h.mine)
			for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
				if r := b.get(root + "fleet"); r.status == http.StatusSeeOther {
					return
				}
			}
			t.Error("the session goes on")
		})
	}
}

func TestFailuresToSignInMakeWaiting(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		b := h.browser()
		for range 3 {
			if r := b.post("/console/sign-in", "key", h.mine.ID, "secret", "wrong"); r.status != http.StatusForbidden || r.header.Get("Retry-After") != "" {
				t.Fatalf("a wrong secret = %d, Retry-After %q", r.status, r.header.Get("Retry-After"))
			}
		}
		r := b.post("/console/sign-in", "key", h.mine.ID, "secret", h.mine.Secret)
		if r.status != http.StatusForbidden || r.header.Get("Retry-After") == "" {
			t.Errorf("the right secret after three wrong ones = %d, Retry-After %q; want to wait", r.status, r.header.Get("Retry-After"))
		}
		r = b.post("/console/sign-in", "key", h.theirs.ID, "secret", h.theirs.Secret)
		if r.status != http.StatusForbidden {
			t.Errorf("another key from the same address = %d, want to wait", r.status)
		}
		if strings.Contains(h.log.String(), h.mine.Secret) || strings.Contains(h.log.String(), "wrong") {
			t.Error("the log has a secret")
		}
	})
}

// Who failed is remembered; however long the name is under which a stranger tries, not all of it.
func TestFailuresToSignInTakeLittleMemory(t *testing.T) {
	h := build(t, filepath.Join(t.TempDir(), "orderly.db"), console.Config{})
	r := h.browser().post("/console/sign-in", "key", strings.Repeat("k", 200<<10), "secret", "wrong")
	if n := h.console.Remembered(); r.status != http.StatusForbidden || n > 1000 {
		t.Errorf("an attempt = %d, and %d bytes are remembered of it", r.status, n)
	}
}

func TestAnswersForbidWhatPagesDoNotNeed(t *testing.T) {
	h := build(t, filepath.Join(t.TempDir(), "orderly.db"), console.Config{})
	b := h.in(h.mine)
	for _, path := range []string{"/console/sign-in", root + "fleet", root + "nothing", "/console/static/x/console.js"} {
		header := b.get(path).header
		csp := header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: policy %q lacks %q", path, csp, part)
			}
		}
		if strings.Contains(csp, "unsafe") || header.Get("X-Content-Type-Options") != "nosniff" || header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: headers %v", path, header)
		}
	}
	if got := b.get(root + "fleet").header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("pages are kept: %q", got)
	}
}

// Pages are compressed, but for those that show a secret.
func TestSecretsAreNotCompressed(t *testing.T) {
	h := build(t, filepath.Join(t.TempDir(), "orderly.db"), console.Config{})
	b := h.in(h.mine)
	for _, c := range []struct{ method, path, form, want string }{
		{http.MethodGet, "fleet", "", "gzip"}, {http.MethodGet, "keys", "", "gzip"}, {http.MethodGet, "fleet/add", "", "gzip"},
		{http.MethodPost, "keys/new", "", ""}, {http.MethodPost, "fleet/add", "count=1&hours=1", ""}, {http.MethodPost, "fleet/add", "count=none", "gzip"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, h.server.URL+root+c.path, strings.NewReader(c.form))
		must(t, err)
		req.Header.Set("Accept-Encoding", "gzip")
		req.Header.Set("Origin", h.server.URL)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r := b.do(req, nil)
		if got := r.header.Get("Content-Encoding"); got != c.want || c.want == "" && !strings.Contains(r.body, "shown this once") {
			t.Errorf("%s %s %s = %d with the encoding %q, want %q", c.method, c.path, c.form, r.status, got, c.want)
		}
	}
}
