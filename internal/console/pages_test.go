package console_test

import (
	"cmp"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/console"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// kept makes a command that is kept.
func (h *house) kept(k store.AccessKey, name, script string) string {
	h.t.Helper()
	id, err := h.engine.CreateCommand(h.t.Context(), caller(k), orderly.Command{Region: region, Name: name, Type: orderly.RunShellScript, Content: []byte(script), EnableParameter: strings.Contains(script, "{{")},
		engine.Repetition{Operation: "CreateCommand"})
	must(h.t, err)
	return id
}

// repeats makes a schedule.
func (h *house) repeats(k store.AccessKey, on string) orderly.Invocation {
	h.t.Helper()
	a, err := h.engine.RunCommand(h.t.Context(), caller(k), engine.Request{Region: region, Target: orderly.Target{Instances: []string{on}}, Repeat: orderly.Period, Frequency: "0 30 3 * * ? Asia/Shanghai",
		Command: orderly.Command{Type: orderly.RunShellScript, Name: "nightly", Content: []byte("true")}}, engine.Repetition{Operation: "RunCommand"})
	must(h.t, err)
	v, err := h.engine.Invocation(h.t.Context(), caller(k), region, a.InvokeID)
	must(h.t, err)
	return v
}

// paths are all pages about things of the house's first account.
func (h *house) paths() (list []string, id string) {
	id = h.machine(h.mine, "web-1", orderly.Tag{Key: "role", Value: "secretrole"})
	v := h.ran(h.mine, "echo secretscript", id)
	h.end(v, 0, orderly.Failed, 3, "secretoutput\n")
	cmd, cron := h.kept(h.mine, "secretcommand", "echo {{who}}"), h.repeats(h.mine, id)
	act, _, err := h.fleet.CreateActivation(h.t.Context(), caller(h.mine), orderly.Activation{Region: region, Description: "secretcode"}, engine.Repetition{Operation: "CreateActivation"})
	must(h.t, err)
	list = []string{"fleet", "fleet?q=web&tag=role%3Dsecretrole&state=online&os=linux", "fleet/add", "fleet/" + id, "fleet/" + id + "/remove", "run", "run?on=" + id, "run?command=" + cmd,
		"invocations", "invocations?instance=" + id, "commands", "commands?name=secret", "commands/new", "commands/" + cmd, "commands/" + cmd + "/delete", "schedules", "activations",
		"activations/" + act + "/live", "keys", "keys/" + h.mine.ID + "/disable"}
	for _, i := range []orderly.Invocation{v, cron} {
		at := "invocations/" + i.ID
		list = append(list, at, at+"?sort=duration&dir=desc&show=failed&q=web", at+"/outputs", at+"/stop", at+"/retry", at+"/on/"+id)
	}
	return append(list, "invocations/"+v.ID+"/alike/0", "invocations/"+v.ID+"/live", "invocations/"+v.ID+"/on/"+id+"/live"), id
}

// Whatever is another account's looks like what is not there.
func TestAccountsAreApart(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		paths, id := h.paths()
		mine, theirs := h.in(h.mine), h.in(h.theirs)
		for _, p := range paths {
			if !strings.HasSuffix(p, "/live") || strings.Contains(p, "invocations") {
				if body := mine.page(root + p); strings.Contains(body, "&lt;no value&gt;") || strings.Contains(body, "%!") {
					t.Errorf("%s shows %s", p, body)
				}
			}
			r := theirs.get(root + p)
			for _, secret := range []string{"secret", "web-1"} {
				echoed := strings.Contains(p, secret) // in the form, as it was sent
				if strings.Contains(strings.ReplaceAll(strings.ReplaceAll(r.body, "Access key secret", ""), "name=\"secret\"", ""), secret) && !echoed {
					t.Errorf("%s tells another account of %s: %d", p, secret, r.status)
				}
			}
			if strings.Count(p, "/") > 0 && !strings.HasSuffix(p, "add") && !strings.HasSuffix(p, "new") && r.status != http.StatusNotFound && !strings.Contains(p, "keys/") && !strings.Contains(p, "live") {
				t.Errorf("%s of another account = %d, want 404", p, r.status)
			}
		}
		for _, p := range []string{"fleet/" + id + "/rename", "fleet/" + id + "/tag", "fleet/" + id + "/untag", "fleet/" + id + "/remove"} {
			if r := theirs.post(root+p, "name", "stolen", "tagkey", "role", "value", "stolen"); r.status != http.StatusNotFound {
				t.Errorf("POST %s of another account = %d, want 404", p, r.status)
			}
		}
		for _, p := range paths {
			if strings.Contains(p, "invocations/t-") && strings.HasSuffix(p, "/stop") || strings.HasSuffix(p, "/retry") || strings.HasSuffix(p, "/delete") || strings.HasSuffix(p, "/disable") {
				if r := theirs.post(root + p); r.status != http.StatusNotFound {
					t.Errorf("POST %s of another account = %d, want 404", p, r.status)
				}
			}
		}
		if body := mine.page(root + "fleet"); strings.Contains(body, "stolen") || !strings.Contains(body, "secretrole") || !strings.Contains(mine.page(root+"keys"), "enabled") {
			t.Error("another account has changed something")
		}
	})
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// fields are those of the form that a page asks with.
func fields(page string) (list []string) {
	page = page[strings.Index(page, "<main"):]
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		list = append(list, m[1], strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&#43;", "+", "&amp;", "&", "&lt;", "<", "&gt;", ">").Replace(m[2]))
	}
	return list
}

func TestRunAsksBeforeItRuns(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for n := range 3 {
			h.machine(h.mine, fmt.Sprint("web-", n), orderly.Tag{Key: "role", Value: "web"})
		}
		h.machine(h.mine, "db-1")
		b := h.in(h.mine)
		form := []string{"content", "echo \"<hello>\" {{who}} 'x'", "type", "RunShellScript", "parameters", "yes", "p.who", "you & me", "where", "tags", "tags", "role=web", "when", "now", "name", "greet", "timeout", "90"}
		if got := b.post(root+"run/preview", form...).body; !strings.Contains(got, "3 machines") || !strings.Contains(got, "Now, once") {
			t.Errorf("preview = %s, want 3 machines, now", got)
		}
		asked := b.post(root+"run/confirm", form...)
		if asked.status != http.StatusOK || !strings.Contains(asked.body, "Run on 3 machines?") || !strings.Contains(asked.body, "web-0") || strings.Contains(asked.body, "<hello>") {
			t.Fatalf("the question = %d %s", asked.status, asked.body)
		}
		if list, _, err := h.engine.Invocations(t.Context(), caller(h.mine), store.InvocationFilter{Region: region}, store.Page{Limit: 9}); err != nil || len(list) > 0 {
			t.Fatalf("before the answer %d invocations, %v", len(list), err)
		}
		yes := fields(asked.body)
		first, again := b.post(root+"run", yes...), b.post(root+"run", yes...)
		if first.status != http.StatusSeeOther || first.header.Get("Location") != again.header.Get("Location") {
			t.Fatalf("a second click: %d %s, %d %s", first.status, first.body, again.status, again.header.Get("Location"))
		}
		list, _, err := h.engine.Invocations(t.Context(), caller(h.mine), store.InvocationFilter{Region: region}, store.Page{Limit: 9})
		must(t, err)
		if len(list) != 1 {
			t.Fatalf("%d invocations, want 1", len(list))
		}
		v := list[0]
		if v.Size != 3 || v.Command.Name != "greet" || string(v.Command.Content) != form[1] || v.Parameters["who"] != "you & me" || v.Command.Timeout != 90*time.Second || v.CallerKey != h.mine.ID || v.SourceIP != "127.0.0.1" {
			t.Errorf("it ran %+v", v)
		}
		if got := h.log.String(); !strings.Contains(got, "msg=audit action=RunCommand account="+h.mine.Account) || !strings.Contains(got, "via=console") || strings.Contains(got, "hello") {
			t.Errorf("the log says %s", got)
		}
		h.machine(h.mine, "web-9", orderly.Tag{Key: "role", Value: "web"})
		stale := fields(b.post(root+"run/confirm", append(form, "token", "another")...).body)
		h.machine(h.mine, "web-10", orderly.Tag{Key: "role", Value: "web"})
		if r := b.post(root+"run", stale...); r.status != http.StatusConflict || !strings.Contains(r.body, "Run on 5 machines?") {
			t.Errorf("for more machines than were named = %d %s", r.status, r.body)
		}
	})
}

func TestRunRefusesWithTheFormFilledIn(t *testing.T) {
	h := build(t, filepath.Join(t.TempDir(), "orderly.db"), console.Config{})
	h.machine(h.mine, "web-1")
	b := h.in(h.mine)
	for want, form := range map[string][]string{
		"No target":                     {"content", "uptime", "where", "on"},
		"Unknown instance: nobody":      {"content", "uptime", "where", "on", "on", "web-1 nobody"},
		"There is no script":            {"content", " ", "where", "all"},
		"Bad frequency":                 {"content", "uptime", "where", "all", "when", "cron", "cron", "every day"},
		"is not a time such as":         {"content", "uptime", "where", "all", "timeout", "soon"},
		"Delivery timeout out of range": {"content", "uptime", "where", "all", "delivery", "1s"},
		"Tags select no instance":       {"content", "uptime", "where", "tags", "tags", "a=b"},
		"give the parameters":           {"content", "echo {{who}}", "parameters", "yes", "where", "all"},
		"Unknown command type":          {"content", "uptime", "where", "all", "type", "Perl"},
		"Bad parameter name":            {"content", "echo {{w h o}}", "parameters", "yes", "where", "all"},
		"Bad container name":            {"content", "uptime", "where", "all", "container", "-x"},
		"Bad container ID":              {"content", "uptime", "where", "all", "containerid", "abc"},
		"Illegal character in the work": {"content", "uptime", "where", "all", "dir", "/\x01"},
	} {
		r := b.post(root+"run/confirm", form...)
		if r.status != http.StatusUnprocessableEntity || !strings.Contains(strings.ToLower(r.body), strings.ToLower(want)) {
			t.Errorf("%v = %d, want 422 with %q\n%s", form, r.status, want, r.body[max(0, strings.Index(r.body, "<main")):])
		}
		if form[1] != " " && !strings.Contains(r.body, ">"+form[1]+"<") {
			t.Errorf("%v: the script is gone from the form", form)
		}
	}
}

// A script runs in a container, by its name, its ID or both, and the pages say in which.
func TestRunInAContainer(t *testing.T) {
	h := build(t, filepath.Join(t.TempDir(), "orderly.db"), console.Config{})
	h.machine(h.mine, "web-1")
	b, digits := h.in(h.mine), strings.Repeat("0123456789abcdef", 4)
	if page := b.page(root + "run"); strings.Contains(page, "<details open>") || !strings.Contains(page, `name="container"`) || !strings.Contains(page, `name="containerid"`) {
		t.Errorf("the form has no folded fields for a container: %s", page)
	}
	for _, x := range []struct{ name, id, line string }{
		{"web", "", "--container web"}, {"", digits, "--container-id " + digits}, {"web", digits, "ContainerName=web ContainerId=" + digits},
	} {
		asked := b.post(root+"run/confirm", "content", "true", "where", "all", "container", x.name, "containerid", x.id)
		if !strings.Contains(asked.body, "in the container <b>"+cmp.Or(x.name, x.id)+"</b>") || !strings.Contains(asked.body, x.line) {
			t.Fatalf("%+v: the question = %d %s", x, asked.status, asked.body)
		}
		if again := b.post(root+"run/edit", fields(asked.body)...).body; !strings.Contains(again, "<details open>") || !strings.Contains(again, `value="`+cmp.Or(x.id, x.name)+`"`) {
			t.Errorf("%+v: to be changed it is %s", x, again)
		}
		r := b.post(root+"run", fields(asked.body)...)
		v, err := h.engine.Invocation(t.Context(), caller(h.mine), region, r.header.Get("Location")[strings.LastIndex(r.header.Get("Location"), "/")+1:])
		if must(t, err); v.ContainerName != x.name || v.ContainerID != x.id {
			t.Errorf("%+v: it ran in %q, %q", x, v.ContainerName, v.ContainerID)
		}
		if page := b.page(root + "invocations/" + v.ID); !strings.Contains(page, "<dt>Container</dt>") || !strings.Contains(page, x.name) || !strings.Contains(page, x.id) {
			t.Errorf("%+v: its page does not say so: %s", x, page)
		}
	}
	if page := b.page(root + "invocations/" + h.ran(h.mine, "true", h.machine(h.mine, "web-2")).ID); strings.Contains(page, "<dt>Container</dt>") {
		t.Error("what runs in none is shown in a container")
	}
}

// A type of command and a way to repeat are called the same on every page, and as people do.
func TestThingsHaveOneName(t *testing.T) {
	h := build(t, filepath.Join(t.TempDir(), "orderly.db"), console.Config{})
	paths, _ := h.paths()
	b := h.in(h.mine)
	for _, p := range paths {
		if strings.HasSuffix(p, "/live") {
			continue
		}
		page, _, _ := strings.Cut(b.page(root+p), `<section class="same"`)
		for _, m := range regexp.MustCompile(`>[^<]*\b(Run(Shell|Bat|PowerShell)Script|Period|EveryReboot|linux)\b`).FindAllString(page, -1) {
			t.Errorf("%s says %q", p, m)
		}
	}
}

func TestScheduleIsToldInTimesAndWords(t *testing.T) {
	h := build(t, filepath.Join(t.TempDir(), "orderly.db"), console.Config{})
	h.machine(h.mine, "web-1")
	b := h.in(h.mine)
	for _, x := range []struct{ want, when, cron, zone, at string }{
		{"Shanghai time (Asia/Shanghai, now UTC&#43;08:00)", "cron", "0 30 3 * * ?", "Asia/Shanghai", ""},
		{"each machine&#39;s own clock", "cron", "0 30 3 * * ?", "", ""},
		{"Coordinated Universal Time", "at", "", "", "2099-01-31T10:00"},
		{"31 Jan 2099, 10:00:00", "at", "", "America/New_York", "2099-01-31T10:00"},
		{"it would never run", "at", "", "", "2001-01-31T10:00"},
		{"Every 6 hours", "every", "", "", ""},
		{"At every boot", "boot", "", "", ""},
	} {
		got := b.post(root+"run/preview", "content", "true", "where", "all", "when", x.when, "cron", x.cron, "zone", x.zone, "at", x.at, "every", "6", "unit", "h").body
		if !strings.Contains(got, x.want) {
			t.Errorf("%+v: %s", x, got)
		}
		if n := strings.Count(got, "<li>"); x.when == "cron" && n != 5 {
			t.Errorf("%+v: %d times, want 5", x, n)
		}
	}
	asked := b.post(root+"run/confirm", "content", "true", "where", "all", "when", "cron", "cron", "0 30 3 * * ?", "zone", "Asia/Shanghai")
	r := b.post(root+"run", fields(asked.body)...)
	if r.status != http.StatusSeeOther {
		t.Fatalf("schedule = %d %s", r.status, r.body)
	}
	if page := b.page(root + "schedules"); !strings.Contains(page, "0 30 3 * * ? Asia/Shanghai") || !strings.Contains(page, "03:30:00") {
		t.Errorf("schedules = %s", page)
	}
	made := r.header.Get("Location")
	if page := b.page(made); !strings.Contains(page, "<dt>Next</dt>") || !strings.Contains(page, "03:30:00") {
		t.Errorf("its own page does not tell when it runs next: %s", page)
	}
}

func TestRetryRunsWhereItFailed(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var on []string
		for n := range 4 {
			on = append(on, h.machine(h.mine, fmt.Sprint("web-", n)))
		}
		v := h.ranIn(h.mine, "web", "true", on...)
		h.end(v, 0, orderly.Success, 0, "")
		h.end(v, 1, orderly.Failed, 1, "")
		h.end(v, 2, orderly.Timeout, 137, "")
		h.end(v, 3, orderly.Error, 0, "")
		must(t, h.db.Write(t.Context(), store.Interactive, func(tx *store.Tx) error {
			tasks, err := tx.Tasks([]orderly.TaskKey{{Invocation: v.Seq, Ordinal: 3}})
			if err != nil {
				return err
			}
			tasks[0].ErrorCode = orderly.ExecutionInterrupted
			return tx.SaveTasks(tasks)
		}))
		b := h.in(h.mine)
		asked := b.page(root + "invocations/" + v.ID + "/retry")
		if !strings.Contains(asked, "Run on 2 machines") || !strings.Contains(asked, "it may run twice there") {
			t.Errorf("the question = %s", asked)
		}
		for option, size := range map[string]int{"": 2, "yes": 3} {
			r := b.post(root+"invocations/"+v.ID+"/retry", "option", option, "token", "token-"+option)
			id := r.header.Get("Location")[strings.LastIndex(r.header.Get("Location"), "/")+1:]
			again, err := h.engine.Invocation(t.Context(), caller(h.mine), region, id)
			if must(t, err); again.Size != size || string(again.Command.Content) != "true" || again.ContainerName != "web" {
				t.Errorf("option %q: again on %d in container %q, want %d in web", option, again.Size, again.ContainerName, size)
			}
		}
	})
}
