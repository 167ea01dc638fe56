package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
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

// openBrowser starts a browser and signs in.
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
	b.typed("#key", s.KeyID)
	b.typed("#secret", s.Secret)
	b.click("main button")
	b.await(`document.querySelector("nav.menu") !== null`)
	return b
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

// look has every page checked by axe, in light and dark, and on a phone, when ORDERLY_SCREENSHOTS names a
// folder for pictures of them.
func (b *browser) look(pages map[string]string) {
	b.t.Helper()
	if os.Getenv("ORDERLY_SCREENSHOTS") == "" {
		return // it takes longer than all the rest
	}
	axe, err := os.ReadFile("node/node_modules/axe-core/axe.min.js")
	if err != nil {
		b.t.Fatalf("axe is not installed; run hack/prepare: %v", err)
	}
	for name, path := range pages {
		for _, scheme := range []string{"light", "dark"} {
			features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}
			if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
				b.t.Fatal(err)
			}
			b.do(chromedp.EmulateViewport(1280, 860))
			b.open(path)
			is[bool](b, string(axe)+"\ntrue")
			found := is[string](b, `axe.run({resultTypes: ["violations"]}).then(r => r.violations.filter(v => ["serious", "critical"].includes(v.impact))
				.map(v => v.id + ": " + v.nodes.map(n => n.html + " " + n.failureSummary).join("\n  ")).join("\n"))`)
			if found != "" {
				b.t.Errorf("%s, %s: %s", path, scheme, found)
			}
			b.picture(name + "-" + scheme + "-desktop")
			b.do(chromedp.EmulateViewport(380, 800))
			if over := is[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
				b.t.Errorf("%s is %d px too wide for a phone", path, over)
			}
			b.picture(name + "-" + scheme + "-phone")
		}
	}
	b.do(chromedp.EmulateViewport(1280, 860))
}

func (b *browser) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("ORDERLY_SCREENSHOTS")
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Error(err)
	}
}

var registerLine = regexp.MustCompile(`^orderly-agent register --server (\S+) --activation-id (\S+) --activation-code (\S+)$`)

// addMachine adds a machine and sees it arrive.
func (b *browser) addMachine(name string) *stage.Agent {
	b.t.Helper()
	b.open("fleet/add")
	b.click("main button.primary")
	b.await(`document.querySelector("#line") !== null`)
	line := registerLine.FindStringSubmatch(is[string](b, `document.querySelector("#line").textContent`))
	if line == nil || line[1] != b.s.Endpoint {
		b.t.Fatalf("the line for machines: %v", line)
	}
	b.shows("Waiting for 1 machine")
	a := b.s.Register(name, line[2], line[3])
	b.shows("1 of 1 arrived")
	a.Start()
	b.await(`document.querySelector("#arrived .badge.good") !== null`)
	return a
}

// run has a script run on what the form says, by way of the question.
func (b *browser) run(script, where, machines string) {
	b.t.Helper()
	b.open("run")
	b.typed("#content", script)
	b.click("#w-" + where)
	if where == "on" {
		b.typed("input[name=on]", machines)
	}
	b.await(`document.querySelector("#preview #count") !== null`)
	b.click("aside button.primary")
	b.shows("Run on 3 machines?")
	b.click("main button.primary")
	b.await(`location.pathname.includes("/invocations/t-")`)
}

// A person adds a machine, runs a command on three and watches it, stops it, compares outputs and makes
// a schedule; what commands print does nothing to the page.
func TestConsoleInABrowser(t *testing.T) {
	s := stage.Open(t, stage.Options{})
	agents := s.Agents("web-1", "web-2", "web-3")
	b := openBrowser(t, s)
	b.addMachine("db-1")

	// A tag that would be a script, if it could.
	b.open("fleet/" + agents[0].ID)
	b.typed("#tagkey", `<img src=x onerror=pwned=1>`)
	b.typed("#value", `"><script>pwned=1</script>`)
	b.click(`form[action$="/tag"] button`)
	b.shows("<img src=x onerror=pwned=1>")

	// Run on three, watch one, stop all.
	b.run(`i=0; while sleep 1; do i=$((i+1)); printf 'line %d <script>pwned=1</script> \033[31mred\033[0m\n' $i; done`, "on", "web-1 web-2 web-3")
	long := b.id()
	b.await(`document.querySelectorAll("td .badge.live").length === 3`)
	b.click("tbody a.main-link")
	b.shows("line 2")
	if is[bool](b, `document.querySelector(".out script") !== null || typeof pwned !== "undefined"`) {
		t.Error("output has become a part of the page")
	}
	b.await(`document.querySelector(".out .c31") && document.querySelector(".out .c31").textContent === "red"`)
	b.open("invocations/" + long)
	b.click("#stop")
	b.shows("Stop on 3 machines")
	b.click("main button.primary")
	b.await(`document.querySelectorAll("tbody .badge.off").length === 3`)

	// Outputs, equal ones once.
	b.run("echo same", "on", "web-1 web-2 web-3")
	b.await(`document.querySelectorAll("tbody .badge.good").length === 3`)
	b.click("#outputs")
	b.shows("1 group among 3 machines")
	differs := b.s.Run(fmt.Sprintf("mkdir %s 2>/dev/null && echo first || echo second", filepath.Join(t.TempDir(), "mark")), agents...)
	b.open("invocations/" + differs.InvokeId + "/outputs")
	b.await(`document.querySelectorAll(".diff .plus").length > 0 && document.querySelectorAll(".diff .minus").length > 0`)

	// A schedule.
	b.open("run?content=true&where=all")
	b.click("#t-cron")
	b.typed("input[name=cron]", "0 30 3 * * ?")
	b.typed("#zone", "Asia/Shanghai")
	b.await(`document.querySelectorAll("#preview li").length === 5 && document.querySelector("#preview").innerText.includes("Shanghai time")`)
	b.click("aside button.primary")
	b.shows("Schedule on 4 machines?")
	b.click("main button.primary")
	b.await(`location.pathname.includes("/invocations/t-")`)
	cron := b.id()

	// By the keyboard: the search field, and the page without the menu.
	b.open("fleet")
	b.do(chromedp.KeyEvent("/"))
	b.await(`document.activeElement.id === "q"`)
	b.open("fleet") // as the browser types the key into the field too, which no person's does
	b.click("#q")
	b.await(`document.activeElement.id === "q"`)
	b.typed("#q", "web-2")
	b.do(chromedp.KeyEvent("\r"))
	b.await(`document.querySelectorAll("#list tbody tr").length === 1`)

	b.look(map[string]string{
		"fleet": "fleet", "machine": "fleet/" + agents[0].ID, "add": "fleet/add", "remove": "fleet/" + agents[0].ID + "/remove", "run": "run?content=echo+%7B%7Bwho%7D%7D&parameters=yes&where=all&when=cron&cron=0+30+3+*+*+%3F",
		"invocations": "invocations", "invocation": "invocations/" + long, "schedule": "invocations/" + cron, "output": "invocations/" + long + "/on/" + agents[1].ID,
		"outputs": "invocations/" + differs.InvokeId + "/outputs", "commands": "commands", "command": "commands/new", "schedules": "schedules", "activations": "activations", "keys": "keys",
		"nothing": "nothing",
	})
	b.said.mu.Lock()
	defer b.said.mu.Unlock()
	for _, line := range b.said.list {
		if !strings.Contains(line, "/nothing") { // is not there
			t.Errorf("the browser says: %s", line)
		}
	}
	if is[bool](b, `typeof pwned !== "undefined"`) {
		t.Error("what a stranger wrote has run")
	}
}
