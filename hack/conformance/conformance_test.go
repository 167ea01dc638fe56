package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"rule PG-3", "rule PG-3", true},
		{"rule PG-3", "rule PG-30", false},
		{"rule PG-*", "rule PG-3", true},
		{"rule PG-*", "rule DI-3", false},
		{"ecs *Command request Launcher", "ecs RunCommand request Launcher", true},
		{"ecs *Command request Launcher", "ecs RunCommand response Launcher", false},
		{"ecs * error * X", "ecs RunCommand error 403 X", true},
		{"ecs * error * X", "ecs RunCommand error X", false},
		{"*", "anything", true},
		{"a*a", "a", false},
	} {
		if got := matches(c.pattern, c.name); got != c.want {
			t.Errorf("%q matches %q: %v, want %v", c.pattern, c.name, got, c.want)
		}
	}
}

// in runs the test in a folder that has these files.
func in(t *testing.T, files map[string]string) {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(filepath.Join(root, "repository"))
}

const description = `{"operations":{
	"Sing": {
		"request": [
			{"name":"RegionId","type":"string","required":true},
			{"name":"Voice","type":"string","required":true,"enum":["high","low"]},
			{"name":"Song","type":"array","itemType":"string","required":true,"repeat":"Song.N"},
			{"name":"Tag","type":"array","itemType":"object","repeat":"Tag.N"},
			{"name":"Tag.N.Key","type":"string"},
			{"name":"OwnerId","type":"integer","note":"legacy common field; accept and ignore"}
		],
		"response": {
			"Songs": {"type":"object","fields":{"Song":{"type":"array","item":{"type":"object","fields":{
				"Title":{"type":"string"},"State":{"type":"string","enum":["","Sung"]}}}}}},
			"Names": {"type":"array","item":{"type":"string"}}
		}
	}
}}`

const errorTables = `# Codes
## Shorthand
| set | codes |
|---|---|
| BASE | 400 NoRegion, Other, 404 Gone |
## Messages, verbatim
| HTTP | Code | Message |
| 404 | Gone | It has gone. |
## ECS 1
### Sing, Hum  (source a)
BASE, and:
| HTTP | Code | Meaning |
|---|---|---|
| 404 | MissingParameter.RegionId | no region |
## SWAS 2
### Sing
| 400 | Elsewhere | not ours |
`

func TestItemsOfAnAPI(t *testing.T) {
	in(t, map[string]string{"shared/api/ecs.json": description, "shared/api/errors.md": errorTables, "repository/x": ""})
	items, err := extractAPI("ecs", "ECS")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range items {
		got = append(got, strings.TrimPrefix(i.String(), "ecs Sing "))
	}
	want := []string{
		"request RegionId", "request Voice", "request Voice=high", "request Voice=low", "request Song.N", "request Tag.N.Key", "ignored OwnerId",
		"response Names", "response Songs.Song.State", "response Songs.Song.State=Sung", "response Songs.Song.Title",
		"error 400 NoRegion", "error 400 Other", "error 404 Gone\tIt has gone.", "error 404 MissingParameter.RegionId", "error 400 MissingParameter.Voice",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRulesOfAText(t *testing.T) {
	in(t, map[string]string{"repository/x": "", "shared/semantics.md": `# Text
## 1. Names
- **ID-1** A name, as in **TM-1**.
### 4.2 Transitions
| # | from |
|---|---|
| T1 | x |
### 5.3 Decision table
| # | states |
|---|---|
| 1 | any |
| 2 | all |
### 10.1 Per instance
| ErrorCode | new | old |
|---|---|---|
| Broken | It is broken | broken |
| TooOld | Needs {v} | old |
### 10.2 API level
| Another | x |
`})
	items, err := extractRules()
	if err != nil {
		t.Fatal(err)
	}
	want := []item{{"rule ID-1", ""}, {"rule T1", ""}, {"rule 5.3 row 1", ""}, {"rule 5.3 row 2", ""}, {"ecs fault Broken", "It is broken"}, {"ecs fault TooOld", ""}}
	if diff := cmp.Diff(want, items, cmp.AllowUnexported(item{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTestsThatNameRules(t *testing.T) {
	in(t, map[string]string{"repository/a/a_test.go": `package a
// XX-1 stands at no test.
var table = []string{"XX-2 read"}
var other = []string{"XX-3 not read"}
// XX-4, PG-1 to PG-3: a promise.
func TestOne(t *testing.T) {
	// T5 to T7
	_ = append(table, "5.3 row 2", more())
}
// PG-2
func TestTwo(t *testing.T) { _ = "STOP-7 to LATE-9" }
// XX-5
func helper() {}
`, "repository/a/b_test.go": `package a
// XX-5
func more() string { return more() + "XX-7" }
`, "repository/c_test.go": `package repository
// XX-8, T9: a transition that is in the table of states only.
func TestThree(t *testing.T) {}
`, "repository/a/a.go": "package a\n// XX-6\nfunc TestThree() {}\n"})
	got, err := ruleTests(".")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"rule STOP-7": "a TestTwo", "rule XX-8": ". TestThree"}
	for _, rule := range []string{"XX-2", "XX-4", "XX-7", "PG-1", "PG-2", "PG-3", "T5", "T6", "T7", "5.3 row 2"} {
		want["rule "+rule] = "a TestOne"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReport(t *testing.T) {
	in(t, map[string]string{"repository/conformance/missing.txt": "rule C-1\nrule B-1\n"})
	r := &report{
		items:  []item{{"rule A-1", ""}, {"rule B-1", ""}, {"rule C-1", ""}, {"rule D-1", ""}, {"rule E-1", ""}},
		later:  []*reason{{pattern: "rule D-*", text: "work of its own"}},
		exempt: []*reason{{pattern: "rule E-1", text: "cannot be"}, {pattern: "rule A-1", text: "cannot be"}},
		pins:   map[string]string{"rule A-1": "a TestOne", "rule B-1": "a TestTwo"},
	}
	var out strings.Builder
	if err := r.print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nrule A-1  a TestOne\n", "\nrule E-1  cannot be\n", "\nrule D-1  work of its own\n", "\nrule C-1  no test\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no line %q in\n%s", want, &out)
		}
	}
	if got, want := r.totals(), "4 items: 2 (50.0 %) pinned, 1 (25.0 %) exempt, 1 (25.0 %) missing; 1 more later"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	wrong := func(err error, words ...string) {
		t.Helper()
		for _, w := range words {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("error %v, want %q", err, w)
			}
		}
	}
	wrong(r.checkMissing(false), `"rule B-1", which is not missing`)
	wrong(r.checkReasons(), `reason for "rule A-1"`, "1 of 4 items are exempt")
	delete(r.pins, "rule A-1")
	r.exempt = r.exempt[:1]
	wrong(r.checkMissing(false), `no test pins "rule A-1"`)
	if err := r.checkMissing(true); err != nil || r.checkMissing(false) != nil {
		t.Errorf("after an update: %v, %v", err, r.checkMissing(false))
	}
}
