package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/orderly-run/orderly/e2e/stage"
)

// A browser is a real one on the console of a server.
type browser struct {
	t    *testing.T
	ctx  context.Context //nolint:containedctx // a tab of chromedp is a context
	s    *stage.Server
	base string // of the pages of the region
	said *said
}

// said is what the browser complained of: scripts that failed, and what the policy forbade.
type said struct {
	mu   sync.Mutex
	list []string
}

// openBrowser starts a browser, which is shown the page for signing in.
func openBrowser(t *testing.T, s *stage.Server) *browser {
	t.Helper()
	found := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil && found == "" {
			found = path
		}
	}
	if found == "" {
		t.Fatal("there is no Chromium; run hack/prepare")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(found), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()))
	for _, name := range []string{"disable-quic", "no-first-run", "disable-background-networking", "disable-component-update", "disable-sync"} {
		options = append(options, chromedp.Flag(name, true))
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(cancel)
	b := &browser{t, ctx, s, "/console/in/" + stage.Region + "/", &said{}}
	b.do(chromedp.EmulateViewport(1280, 860), chromedp.Navigate(s.Endpoint+"/console/"))
	go func() {
		for m, err := range chromedp.Console(ctx) {
			if err != nil {
				return // the tab is gone
			}
			if m.Type == "error" || m.Type == chromedp.ConsoleException {
				b.said.mu.Lock()
				b.said.list = append(b.said.list, m.Text+" "+m.URL)
				b.said.mu.Unlock()
			}
		}
	}()
	return b
}

func (b *browser) signIn() {
	b.t.Helper()
	b.typed("#key", b.s.KeyID)
	b.typed("#secret", b.s.Secret)
	b.click("main button")
	b.await(`document.querySelector("nav.menu") !== null`)
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.s.Endpoint + b.base + path))
}

func (b *browser) click(sel string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(sel)))
}

func (b *browser) typed(sel, text string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(sel), text))
}

// is evaluates an expression of JavaScript.
func is[T any](b *browser, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%.200s: %v", expression, err)
	}
	return v
}

// await waits until an expression holds. While another page comes it cannot be asked.
func (b *browser) await(expression string) {
	b.t.Helper()
	stage.Await(b.t, stage.Patience, expression, func() error {
		held, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if err == nil && !held {
			text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body ? document.body.innerText : ""`)) // for the message only
			err = fmt.Errorf("it does not; the page says %.1000s", text)
		}
		return err
	})
}

// shows waits until the page shows a text.
func (b *browser) shows(text string) {
	b.t.Helper()
	b.await(fmt.Sprintf(`document.querySelector("main") && document.querySelector("main").innerText.includes(%q)`, text))
}

// id is the last part of the page's path.
func (b *browser) id() string {
	b.t.Helper()
	return is[string](b, `location.pathname.split("/").pop()`)
}

// forms are what a page is looked at in: each scheme of colours, on a desktop and on a phone.
var forms = []struct {
	scheme, name  string
	width, height int64
}{{"light", "desktop", 1280, 860}, {"light", "phone", 380, 800}, {"dark", "phone", 380, 800}, {"dark", "desktop", 1280, 860}}

// inspect has the page that is shown checked in each form: axe finds nothing serious in it, and nothing
// is too wide. When ORDERLY_SCREENSHOTS names a folder it gets a picture of each.
func (b *browser) inspect(name string) {
	b.t.Helper()
	for _, f := range forms {
		features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: f.scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}
		if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
			b.t.Fatal(err)
		}
		b.do(chromedp.EmulateViewport(f.width, f.height))
		if found := b.violations(); found != "" {
			b.t.Errorf("%s, %s, %s: %s", name, f.scheme, f.name, found)
		}
		if over := is[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
			b.t.Errorf("%s, %s: it is %d px too wide", name, f.name, over)
		}
		b.picture(name + "-" + f.scheme + "-" + f.name)
	}
}

// violations is what axe finds in the page that is shown and calls serious or critical.
func (b *browser) violations() string {
	b.t.Helper()
	if is[bool](b, `typeof axe === "undefined"`) {
		axe, err := os.ReadFile("node/node_modules/axe-core/axe.min.js")
		if err != nil {
			b.t.Fatalf("axe is not installed; run hack/prepare: %v", err)
		}
		is[bool](b, string(axe)+"\ntrue")
	}
	return is[string](b, `axe.run({resultTypes: ["violations"]}).then(r => r.violations.filter(v => ["serious", "critical"].includes(v.impact))
		.map(v => v.id + ": " + v.nodes.map(n => n.html + " " + n.failureSummary).join("\n  ")).join("\n"))`)
}

// inspectPages is inspect for pages by their paths.
func (b *browser) inspectPages(pages map[string]string) {
	b.t.Helper()
	for name, path := range pages {
		b.open(path)
		b.inspect(name)
	}
}

func (b *browser) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("ORDERLY_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Error(err)
	}
}
