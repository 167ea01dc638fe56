package console

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
	"github.com/orderly-run/orderly/internal/store"
)

// A runForm is what stands in the form for running a command; all of it comes back when something is
// wrong with it, or when it is to be changed.
type runForm struct {
	CommandID, Content, Type, Name, Description string
	Parameters                                  bool // {{name}} in the script is one
	Values                                      []parameter

	Where    string // all, tags or on
	Tags, On string // words

	When                        string // now, every, cron, at, boot or next
	Every, Unit, Cron, Zone, At string

	WorkingDir, Username, PasswordName, Launcher, Timeout, Delivery, Tree, InvocationTags string
	Container, ContainerID                                                                string
	Keep                                                                                  bool

	Token string // of one intent: what is asked for twice is done once
	Seen  string // how many machines the form was confirmed for
}

// A parameter is a name in the script and its value.
type parameter struct{ Name, Value string }

// readRun reads the form.
func (v *visit) readRun() runForm {
	get := func(name string) string { return strings.TrimSpace(v.FormValue(name)) }
	f := runForm{
		CommandID: get("command"), Content: strings.ReplaceAll(v.FormValue("content"), "\r\n", "\n"), Type: get("type"), Name: get("name"), Description: get("description"),
		Parameters: get("parameters") != "", Where: get("where"), Tags: get("tags"), On: strings.Join(v.Form["on"], " "),
		When: get("when"), Every: get("every"), Unit: get("unit"), Cron: get("cron"), Zone: get("zone"), At: get("at"),
		WorkingDir: get("dir"), Username: get("user"), PasswordName: get("passwordname"), Launcher: get("launcher"), Timeout: get("timeout"),
		Delivery: get("delivery"), Tree: get("tree"), InvocationTags: get("label"), Keep: get("keep") != "", Token: get("token"), Seen: get("seen"),
		Container: get("container"), ContainerID: get("containerid"),
	}
	f.complete()
	for _, name := range f.names() {
		f.Values = append(f.Values, parameter{name, v.FormValue("p." + name)})
	}
	return f
}

// complete sets what the form begins with.
func (f *runForm) complete() {
	for _, d := range []struct {
		field *string
		value string
	}{{&f.Type, string(orderly.RunShellScript)}, {&f.When, "now"}, {&f.Every, "1"}, {&f.Unit, "h"}} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if f.Where == "" {
		switch {
		case f.On != "":
			f.Where = "on"
		case f.Tags != "":
			f.Where = "tags"
		}
	}
	if f.Token == "" {
		f.Token = rand.Text()
	}
}

// names are the parameters of the script, without those that are filled in by the server.
func (f *runForm) names() []string {
	if !f.Parameters {
		return nil
	}
	names, err := orderly.ParameterNames([]byte(f.Content))
	if err != nil {
		return nil // the check says so
	}
	return names
}

// frequency is when it runs, as the API says it.
func (f *runForm) frequency() (mode orderly.RepeatMode, expression string) {
	zone := ""
	if f.Zone != "" {
		zone = " " + f.Zone
	}
	switch f.When {
	case "every":
		return orderly.Period, "rate(" + f.Every + f.Unit + ")"
	case "cron":
		return orderly.Period, f.Cron + zone
	case "at":
		at := strings.Replace(f.At, "T", " ", 1)
		if strings.Count(at, ":") == 1 {
			at += ":00"
		}
		return orderly.Period, "at(" + at + zone + ")"
	case "boot":
		return orderly.EveryReboot, ""
	case "next":
		return orderly.NextRebootOnly, ""
	}
	return orderly.Once, ""
}

// duration reads a time as people write it: 90s, 5m, 2h, or a number of seconds. "" is 0.
func duration(text string, wrong orderly.Reason) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	if n, err := strconv.Atoi(text); err == nil && n >= 0 && n < 1<<31 {
		return time.Duration(n) * time.Second, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 1000 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, wrong.Errorf("%q is not a time such as 90s, 5m or 2h", text)
	}
	return d, nil
}

// request is what the engine is asked for, but for the targets.
func (f *runForm) request(region string) (q engine.Request, err error) {
	q = engine.Request{Region: region, MaxTags: 20, KeepCommand: f.Keep, Username: f.Username, PasswordName: f.PasswordName, Tags: tags(strings.Fields(f.InvocationTags)),
		ContainerName: f.Container, ContainerID: f.ContainerID}
	q.Command = orderly.Command{
		Name: f.Name, Description: f.Description, Type: orderly.CommandType(f.Type), Content: []byte(f.Content), WorkingDir: f.WorkingDir,
		Launcher: f.Launcher, EnableParameter: f.Parameters,
	}
	q.Repeat, q.Frequency = f.frequency()
	if q.Termination = orderly.KillProcessTree; f.Tree == "no" {
		q.Termination = orderly.KillProcess
	}
	if err = orderly.CheckContainer(f.ContainerID, f.Container); err != nil {
		return q, err
	}
	if q.Command.Timeout, err = duration(f.Timeout, orderly.TimeoutTooLong); err != nil {
		return q, err
	}
	if f.Delivery != "" {
		d, err := duration(f.Delivery, orderly.DeliveryTimeoutInvalid)
		if err != nil {
			return q, err
		}
		q.Delivery = &d
	}
	if len(f.Values) == 0 {
		return q, nil
	}
	values := map[string]string{}
	for _, p := range f.Values {
		values[p.Name] = p.Value
	}
	text, err := json.Marshal(values)
	q.Parameters = string(text)
	return q, err
}

// everywhere selects all machines.
var everywhere = orderly.Target{Tags: []orderly.Tag{{Key: orderly.AllTag}}}

// target is where it runs. Machines are named by their IDs or names; one that nobody has is an error.
func (c *Console) target(v *visit, f *runForm) (t orderly.Target, err error) {
	switch f.Where {
	case "all":
		return everywhere, nil
	case "tags":
		return orderly.Target{Tags: tags(strings.FieldsFunc(f.Tags, separator))}, nil
	}
	var unknown []string
	words := strings.FieldsFunc(f.On, separator)
	if len(words) > maxWords {
		return t, orderly.TargetsTooMany
	}
	for _, w := range words {
		flt := store.InstanceFilter{Region: v.region, Name: w}
		if strings.HasPrefix(w, orderly.InstancePrefix+"-") {
			flt = store.InstanceFilter{Region: v.region, IDs: []string{w}}
		}
		list, _, err := c.cfg.Fleet.Instances(v.Context(), v.caller, flt, store.Page{Limit: 2})
		switch {
		case err != nil:
			return t, err
		case len(list) == 0:
			unknown = append(unknown, w)
		case len(list) > 1:
			return t, orderly.InstanceUnknown.Errorf("more than one machine is called %s: give its ID", w)
		default:
			t.Instances = append(t.Instances, list[0].ID)
		}
	}
	if len(unknown) > 0 {
		return t, orderly.InstanceUnknown.Errorf("%s", strings.Join(unknown, ", "))
	}
	return t, nil
}

// maxWords is how many machines are looked up by name.
const maxWords = 1000

func separator(r rune) bool { return r == ' ' || r == ',' || r == '\n' || r == '\r' || r == '\t' }

// A preview is what would happen.
type preview struct {
	Problem  string
	Where    bool // where it would run is known
	Machines int
	Away     int
	Names    []string
	More     int
	Times    times
}

// previewed is how many names of machines a preview shows.
const previewed = 8

// preview looks at what a form would do, and returns the request for it.
func (c *Console) preview(v *visit, f *runForm) (p preview, q engine.Request, err error) {
	q, err = f.request(v.region)
	if err == nil {
		p.Times, err = c.nextTimes(q.Repeat, q.Frequency)
	}
	if err == nil {
		q.Target, err = c.target(v, f)
	}
	if err == nil && len(q.Target.Instances)+len(q.Target.Tags) == 0 {
		err = orderly.TargetMissing
	}
	if err == nil {
		err = c.count(v, &p, q)
	}
	return p, q, err
}

// count finds the machines that a request is for.
func (c *Console) count(v *visit, p *preview, q engine.Request) error {
	t := q.Target // of which the check may change something
	if err := c.cfg.Engine.CheckTarget(&t, q); err != nil {
		return err
	}
	list, err := c.cfg.Store.Targets(v.Context(), v.caller.Account, v.region, t, c.cfg.Engine.MaxTargets(t))
	if err != nil {
		return err
	}
	p.Where, p.Machines = true, len(list)
	for _, g := range list {
		if !g.Presence.Fresh(c.cfg.Store.Now(), orderly.DefaultLimits.Fresh) {
			p.Away++
		}
		if len(p.Names) < previewed {
			p.Names = append(p.Names, g.Name)
		}
	}
	p.More = len(list) - len(p.Names)
	if p.Machines > c.cfg.Engine.MaxTargets(t) {
		return orderly.TargetsTooMany.Errorf("there are more than %d; limits are the server's --max-targets and --max-all", c.cfg.Engine.MaxTargets(t))
	}
	if len(list) == 0 {
		return orderly.TargetTagsMatchNothing
	}
	return nil
}

// Kind is the type as the domain has it.
func (f runForm) Kind() orderly.CommandType { return orderly.CommandType(f.Type) }

// Contained reports whether it runs in a container.
func (f runForm) Contained() bool { return f.Container+f.ContainerID != "" }

// Advanced reports whether the form has something in the options that are folded.
func (f runForm) Advanced() bool {
	return f.Keep || f.Username+f.WorkingDir+f.Delivery+f.Launcher != "" || f.Contained()
}

type runBody struct {
	runForm
	Region   string
	Saved    []orderly.Command
	Preview  preview
	Zones    []string
	Types    []orderly.CommandType
	Units    []unit
	TagsSeen []store.TagCount
}

type unit struct{ Letter, Name string }

var (
	units = []unit{{"m", "minutes"}, {"h", "hours"}, {"d", "days"}}
	zones = []string{
		"UTC", "Europe/London", "Europe/Berlin", "Europe/Athens", "Europe/Moscow", "Asia/Dubai", "Asia/Kolkata", "Asia/Singapore", "Asia/Shanghai", "Asia/Tokyo",
		"Australia/Sydney", "America/Sao_Paulo", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles",
	}
)

// runPage shows the form: empty, with a kept command, or with machines that were picked elsewhere.
func (c *Console) runPage(v *visit) error {
	f := v.readRun()
	if f.CommandID != "" && f.Content == "" {
		cmd, err := c.command(v, f.CommandID)
		if err != nil {
			return err
		}
		f.take(cmd)
	}
	return c.showRun(v, http.StatusOK, f, "")
}

// take fills a form with a kept command.
func (f *runForm) take(cmd orderly.Command) {
	f.Content, f.Type, f.Name, f.Description, f.Parameters = string(cmd.Content), string(cmd.Type), cmd.Name, cmd.Description, cmd.EnableParameter
	f.WorkingDir, f.Launcher, f.Timeout = cmd.WorkingDir, cmd.Launcher, strconv.Itoa(int(cmd.Timeout/time.Second))+"s"
	f.Values = nil
	for _, name := range f.names() {
		f.Values = append(f.Values, parameter{Name: name})
	}
}

func (c *Console) showRun(v *visit, status int, f runForm, problem string) error {
	b := runBody{runForm: f, Region: v.region, Zones: zones, Types: commandTypes, Units: units}
	var err error
	if b.Saved, _, err = c.cfg.Engine.Commands(v.Context(), v.caller, store.CommandFilter{Region: v.region}, store.Page{Limit: 200}); err != nil {
		return err
	}
	if b.TagsSeen, err = c.cfg.Fleet.TagsInUse(v.Context(), v.caller, v.region, 50); err != nil {
		return err
	}
	if b.Preview, _, err = c.preview(v, &f); err != nil {
		if _, ok := refusal(err); !ok {
			return err
		}
	}
	return c.show(v, status, "run", &frame{Title: "Run", Nav: "run", Error: problem, Same: c.sameRun(v.region, f)}, b)
}

// editRun shows the form again as it was.
func (c *Console) editRun(v *visit) error {
	f := v.readRun()
	f.Token = rand.Text() // a changed request is another one
	return c.showRun(v, http.StatusOK, f, "")
}

// previewRun is the part of the form that says what would happen.
func (c *Console) previewRun(v *visit) error {
	f := v.readRun()
	p, _, err := c.preview(v, &f)
	if err != nil {
		text, ok := refusal(err)
		if !ok {
			return err
		}
		if p.Problem = text; f.Where == "" {
			p.Problem = "Choose where it runs."
		}
	}
	html, err := c.part("run", "preview", p)
	if err != nil {
		return err
	}
	v.write(http.StatusOK, html)
	return nil
}

// parametersOfRun is the part of the form with the parameters.
func (c *Console) parametersOfRun(v *visit) error {
	html, err := c.part("run", "parameters", runBody{runForm: v.readRun()})
	if err != nil {
		return err
	}
	v.write(http.StatusOK, html)
	return nil
}

type confirmBody struct {
	runForm
	Preview preview
	Region  string
	Fields  []parameter // of the form, to be sent again
	Verb    string
	Delay   string
}

// checked finds what is wrong with a form; it returns what it would do when nothing is.
func (c *Console) checked(v *visit, f *runForm) (p preview, q engine.Request, err error) {
	if p, q, err = c.preview(v, f); err != nil {
		return p, q, err
	}
	if strings.TrimSpace(f.Content) == "" {
		return p, q, orderly.ContentUndecodable.Errorf("there is no script")
	}
	for _, x := range f.Values {
		if _, given := v.Form["p."+x.Name]; !given {
			return p, q, orderly.ParametersMalformed.Errorf("give the parameters of the script their values")
		}
	}
	run := q
	return p, q, c.cfg.Engine.CheckRun(&run, engine.Repetition{Operation: "RunCommand", Token: f.Token})
}

// confirmRun says what will happen to how many machines, and asks.
func (c *Console) confirmRun(v *visit) error {
	f := v.readRun()
	p, _, err := c.checked(v, &f)
	if err != nil {
		if text, ok := refusal(err); ok {
			return c.showRun(v, http.StatusUnprocessableEntity, f, text)
		}
		return err
	}
	return c.askRun(v, http.StatusOK, f, p, "")
}

func (c *Console) askRun(v *visit, status int, f runForm, p preview, problem string) error {
	f.Seen = strconv.Itoa(p.Machines)
	b := confirmBody{runForm: f, Preview: p, Region: v.region, Fields: fields(v, f), Verb: "Run on " + plural(p.Machines, "machine")}
	if f.When != "now" {
		b.Verb = "Schedule on " + plural(p.Machines, "machine")
	}
	return c.show(v, status, "run-confirm", &frame{Title: b.Verb, Nav: "run", Error: problem, Same: c.sameRun(v.region, f)}, b)
}

// fields are those of the form that was sent.
func fields(v *visit, f runForm) (list []parameter) {
	for name, values := range v.PostForm {
		if name == "seen" || name == "token" {
			continue
		}
		for _, value := range values {
			list = append(list, parameter{name, value})
		}
	}
	slices.SortFunc(list, func(a, b parameter) int { return strings.Compare(a.Name, b.Name) })
	return append(list, parameter{"seen", f.Seen}, parameter{"token", f.Token})
}

// doRun runs what was confirmed, unless it would be for other machines than were named.
func (c *Console) doRun(v *visit) error {
	f := v.readRun()
	p, q, err := c.checked(v, &f)
	if err == nil && f.Seen != strconv.Itoa(p.Machines) {
		return c.askRun(v, http.StatusConflict, f, p, "The number of machines has changed meanwhile. Look at it again.")
	}
	var a engine.Answer
	if err == nil {
		a, err = c.start(v, f, q)
	}
	if text, ok := refusal(err); ok {
		if err := c.showRun(v, http.StatusUnprocessableEntity, f, text); err != nil {
			return err
		}
		return answered{err}
	}
	if err != nil {
		return err
	}
	return v.to(v.in("invocations", a.InvokeID))
}

// start runs a kept command that was not changed as such, and anything else as a new one.
func (c *Console) start(v *visit, f runForm, q engine.Request) (engine.Answer, error) {
	r := engine.Repetition{Operation: "RunCommand", Token: f.Token, Digest: []byte(v.PostForm.Encode())}
	if f.CommandID != "" {
		cmd, err := c.command(v, f.CommandID)
		if err != nil {
			return engine.Answer{}, err
		}
		if string(cmd.Content) == f.Content && string(cmd.Type) == f.Type && cmd.EnableParameter == f.Parameters && cmd.Name == f.Name {
			r.Operation, q.Command.ID, q.Command.Content = "InvokeCommand", cmd.ID, nil
			return c.cfg.Engine.InvokeCommand(v.Context(), v.caller, q, r)
		}
	}
	return c.cfg.Engine.RunCommand(v.Context(), v.caller, q, r)
}
