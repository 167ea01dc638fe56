package e2e_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/orderly-run/orderly/e2e/stage"
)

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
	b.inspect("add-waits")
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
// a schedule; what commands print does nothing to the page. Every page is one that axe has nothing serious
// against, in light and dark, on a desktop and on a phone.
func TestConsoleInABrowser(t *testing.T) {
	s := stage.Open(t, stage.Options{})
	b := openBrowser(t, s)
	b.inspect("sign-in")
	if is[bool](b, `document.querySelector("main").insertAdjacentHTML("beforeend", "<button></button>") === undefined`); !strings.Contains(b.violations(), "button-name") {
		t.Error("axe does not find what is wrong")
	}
	b.signIn()
	b.inspectPages(map[string]string{
		"no-machines": "fleet", "no-invocations": "invocations", "no-commands": "commands", "no-schedules": "schedules", "no-activations": "activations", "run-empty": "run",
	})
	agents := s.Agents("web-1", "web-2", "web-3")
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
	b.inspect("invocation-live")
	b.click("tbody a.main-link")
	b.shows("line 2")
	b.inspect("output-live")
	if is[bool](b, `document.querySelector(".out script") !== null || typeof pwned !== "undefined"`) {
		t.Error("output has become a part of the page")
	}
	b.await(`document.querySelector(".out .c31") && document.querySelector(".out .c31").textContent === "red"`)
	b.open("invocations/" + long)
	b.click("#stop")
	b.shows("Stop on 3 machines")
	b.inspect("stop")
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
	b.inspect("run-confirm")
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

	failed := b.s.Run("echo it broke >&2; exit 3", agents...).InvokeId
	wide := b.s.Agents(strings.Repeat("a-machine-with-a-long-name-", 4) + "1")
	tall := b.s.Run(strings.Repeat("echo '"+strings.Repeat("a long line of a long script, ", 4)+"'\n", 60), wide...).InvokeId
	b.open("commands/new")
	b.typed("#name", "greet")
	b.typed("#content", "echo hello {{who}}")
	b.click("#parameters")
	b.click("main button.primary")
	b.await(`location.pathname.includes("/commands/c-")`)
	command := b.id()
	b.open("keys")
	b.click("main button.primary")
	b.await(`document.querySelector("#made") !== null`)
	b.inspect("key-made")
	key := is[string](b, `document.querySelector("#made").textContent`)

	b.inspectPages(map[string]string{
		"fleet": "fleet", "fleet-none-found": "fleet?q=no-such-machine", "machine": "fleet/" + agents[0].ID, "add": "fleet/add", "remove": "fleet/" + agents[0].ID + "/remove",
		"run": "run?content=echo+%7B%7Bwho%7D%7D&parameters=yes&where=all&when=cron&cron=0+30+3+*+*+%3F", "run-kept": "run?command=" + command,
		"run-advanced": "run?content=uptime&where=all&container=web", "invocation-long": "invocations/" + tall, "output-long": "invocations/" + tall + "/on/" + wide[0].ID, "machine-long": "fleet/" + wide[0].ID,
		"invocations": "invocations", "invocation": "invocations/" + long, "invocation-failed": "invocations/" + failed, "retry": "invocations/" + failed + "/retry",
		"schedule": "invocations/" + cron, "output": "invocations/" + long + "/on/" + agents[1].ID,
		"outputs": "invocations/" + differs.InvokeId + "/outputs", "alike": "invocations/" + differs.InvokeId + "/alike/1",
		"commands": "commands", "command": "commands/" + command, "command-new": "commands/new", "command-delete": "commands/" + command + "/delete",
		"schedules": "schedules", "activations": "activations", "keys": "keys", "key-disable": "keys/" + key + "/disable", "nothing": "nothing",
	})
	b.do(chromedp.EmulateViewport(380, 800))
	b.open("keys") // the last entry of a menu that is wider than a phone
	b.await(`(r => r.left >= 0 && r.right <= innerWidth)(document.querySelector(".menu [aria-current]").getBoundingClientRect())`)

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
