package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-run/orderly"
)

//go:embed templates
var texts embed.FS

// pages are the templates by name. Each has the layout around it, and can be asked for a part of it.
type pages map[string]*template.Template

// readPages reads the embedded templates; it panics when one is wrong.
func readPages(a assets) pages {
	layout := template.Must(template.New("").Funcs(functions(a)).ParseFS(texts, "templates/layout.html", "templates/parts.html"))
	files, err := fs.Glob(texts, "templates/*.html")
	if err != nil {
		panic(err)
	}
	p := pages{}
	for _, f := range files {
		name := strings.TrimSuffix(path.Base(f), ".html")
		p[name] = template.Must(template.Must(layout.Clone()).ParseFS(texts, f))
	}
	return p
}

// A frame is what the layout shows around a page.
type frame struct {
	Title   string
	Nav     string // the entry of the menu that it belongs to
	Error   string
	Same    []line // what does the same elsewhere
	Account string
	Key     string
	Region  string
	Regions []string
	Theme   string
	Here    string // path of the page
	Now     time.Time
	Body    any
}

// A line is a way to do what a page does.
type line struct{ Kind, Text string }

// show renders a page.
func (c *Console) show(v *visit, status int, name string, f *frame, body any) error {
	f.Account, f.Key, f.Region, f.Regions = v.caller.Account, v.caller.KeyID, v.region, c.cfg.Engine.Regions()
	f.Here, f.Now, f.Body = v.URL.RequestURI(), c.cfg.Store.Now(), body
	if v.session.ID == "" {
		f.Account, f.Key = "", ""
	}
	if k, err := v.Cookie(themeCookie); err == nil && (k.Value == "light" || k.Value == "dark") {
		f.Theme = k.Value
	}
	page, err := c.part(name, "layout", f)
	if err != nil {
		return err
	}
	v.write(status, page)
	return nil
}

// part renders a part of a page.
func (c *Console) part(name, part string, data any) ([]byte, error) {
	var b bytes.Buffer
	if err := c.pages[name].ExecuteTemplate(&b, part, data); err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// in is the path of a page of a region; texts between slashes are escaped.
func in(region string, parts ...string) string {
	p := Root + "in/" + url.PathEscape(region)
	for _, part := range parts {
		p += "/" + url.PathEscape(part)
	}
	return p
}

// functions are what templates can call.
func functions(a assets) template.FuncMap {
	return template.FuncMap{
		"asset":     a.path,
		"in":        in,
		"ago":       ago,
		"took":      took,
		"clock":     func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"iso":       func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"number":    number,
		"plural":    plural,
		"look":      look,
		"kind":      kind,
		"repeats":   repeats,
		"system":    system,
		"terminal":  terminal,
		"firstline": firstLine,
		"oneof":     func(s string, list ...string) bool { return slices.Contains(list, s) },
		"has":       func(list []string, s string) bool { return slices.Contains(list, s) },
		"seconds":   func(d time.Duration) int64 { return int64(d / time.Second) },
		"text":      func(b []byte) string { return string(b) },
		"set":       func(kv ...any) (map[string]any, error) { return pairs(kv) },
		"minus":     func(a, b int) int { return a - b },
		"long":      func(n int) int64 { return int64(n) },
		"dropped":   func(t orderly.Task) int { return int(t.Dropped()) },
		"shares":    bar,
		"failures":  func(k orderly.Counts) int { return k.Failed + k.Broken },
		"shown": func() map[string]string {
			return map[string]string{"live": "not ended", "success": "succeeded", "failed": "failed", "stopped": "stopped"}
		},
		"written": func(t orderly.Task) []byte { return t.Text() },
		"percent": func(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) },
		"online": func(i orderly.Instance, now time.Time) bool {
			return i.Presence.Fresh(now, orderly.DefaultLimits.Fresh)
		},
	}
}

func pairs(kv []any) (map[string]any, error) {
	m := map[string]any{}
	for i := 0; i+1 < len(kv); i += 2 {
		k, ok := kv[i].(string)
		if !ok {
			return nil, fmt.Errorf("set: %v is no name", kv[i])
		}
		m[k] = kv[i+1]
	}
	return m, nil
}

// ago is how long before now a time was, in words.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t)
	for _, u := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "min"}} {
		if d >= u.size {
			n := int(d / u.size)
			if u.name == "min" {
				return fmt.Sprintf("%d min ago", n)
			}
			return plural(n, u.name) + " ago"
		}
	}
	if d < 5*time.Second {
		return "just now"
	}
	return fmt.Sprintf("%d s ago", int(d/time.Second))
}

// took is a duration as people say it, with three digits at most.
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < time.Hour && d%time.Minute < time.Second:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour && d%time.Hour < time.Minute:
		return fmt.Sprintf("%d h", int(d.Hours()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return plural(int(d.Hours()/24), "day")
}

// number is a number with its thousands apart.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// plural counts things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return number(n) + " " + thing + "s"
}

// look is how a state or status looks: good, bad, live, waiting or off.
func look(state any) string {
	switch fmt.Sprint(state) {
	case "Success", "Finished":
		return "good"
	case "Failed", "Timeout", "Error", "Invalid", "Aborted", "PartialFailed":
		return "bad"
	case "Running", "Stopping":
		return "live"
	case "Pending", "Scheduled":
		return "waiting"
	}
	return "off"
}

// firstLine is the first line of a script that says something, shortened.
func firstLine(script []byte) string {
	const most = 90
	for l := range strings.Lines(string(script)) {
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "#!") {
			continue
		}
		if r := []rune(l); len(r) > most {
			return string(r[:most]) + "…"
		}
		return l
	}
	return ""
}
