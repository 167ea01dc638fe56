package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/orderly-run/orderly/internal/cli"
)

type thing struct{ Name, Note string }

var thingColumns = []cli.Column[thing]{
	{Title: "NAME", Cell: func(t *thing) string { return t.Name }, Colour: func(*thing) string { return "\x1b[32m" }},
	{Title: "LENGTH", Cell: func(t *thing) string { return strings.Repeat("i", utf8.RuneCountInString(t.Name)) }},
	{Title: "NOTE", In: cli.InWide, Cell: func(t *thing) string { return t.Note }},
	{Title: "THING ID", In: cli.Alone, Cell: func(t *thing) string { return t.Note + t.Note }},
}

func TestTables(t *testing.T) {
	things := []thing{{"a", "one"}, {"übung", ""}, {"evil\n\x1b[2Jname", "x\ty"}}
	for _, c := range []struct {
		session cli.Session
		want    string
	}{
		{cli.Session{Format: cli.Table}, "NAME            LENGTH\na               i\nübung           iiiii\nevil  [2Jname   iiiiiiiiiiiii\n"},
		{cli.Session{Format: cli.Wide}, "NAME            LENGTH          NOTE\na               i               one\nübung           iiiii\nevil  [2Jname   iiiiiiiiiiiii  x y\n"},
		{cli.Session{Format: cli.Table, Colour: true}, "NAME            LENGTH\n\x1b[32ma\x1b[0m               i\n\x1b[32mübung\x1b[0m           iiiii\n\x1b[32mevil  [2Jname\x1b[0m   iiiiiiiiiiiii\n"},
	} {
		var out bytes.Buffer
		c.session.Out = &out
		if err := cli.List(&c.session, thingColumns, things, things); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(squeezed(c.want), squeezed(out.String())); diff != "" {
			t.Error(diff)
		}
	}
}

// On a terminal columns that may be cut lose their ends, the widest first, down to what they keep, and then rows do; elsewhere, and where
// no column may, nothing is lost.
func TestTablesFitTheTerminal(t *testing.T) {
	long := strings.Repeat("x", 100)
	note := cli.Column[thing]{Title: "NOTE", Cell: func(t *thing) string { return t.Note }, Cut: 8}
	cuttable := thingColumns[0]
	cuttable.Cut = 30
	most := cuttable
	most.Cut = 70
	one, two, kept, none := []cli.Column[thing]{thingColumns[0], note}, []cli.Column[thing]{cuttable, note}, []cli.Column[thing]{most, note}, thingColumns
	for _, c := range []struct {
		session cli.Session
		columns []cli.Column[thing]
		name    string
		want    string
	}{
		{cli.Session{Format: cli.Table, Terminal: true}, one, "a", "a     " + long[:73] + "…\n"}, // of 80, as here is no terminal to ask
		{cli.Session{Format: cli.Wide, Terminal: true}, one, "a", "a     " + long[:73] + "…\n"},
		{cli.Session{Format: cli.Table}, one, "a", "a     " + long + "\n"},
		{cli.Session{Format: cli.Wide}, one, "a", "a     " + long + "\n"},
		{cli.Session{Format: cli.Table, Terminal: true}, one, long[:75], long[:75] + "  xx…\n"},
		{cli.Session{Format: cli.Table, Terminal: true}, two, long, long[:38] + "…  " + long[:38] + "…\n"},
		{cli.Session{Format: cli.Table, Terminal: true}, two, long[:20], long[:20] + "  " + long[:57] + "…\n"},
		{cli.Session{Format: cli.Table, Terminal: true}, kept, long, long[:69] + "…  " + long[:7] + "…\n"},
		{cli.Session{Format: cli.Table, Terminal: true, Colour: true}, one, long, "\x1b[32m" + long[:79] + "…\x1b[0m\n"},
		{cli.Session{Format: cli.Wide, Terminal: true}, none, long[:20], long[:20] + "  " + strings.Repeat("i", 20) + "  " + long + "\n"},
	} {
		var out bytes.Buffer
		c.session.Out = &out
		if err := cli.List(&c.session, c.columns, []thing{{c.name, long}}, nil); err != nil {
			t.Fatal(err)
		}
		if _, row, _ := strings.Cut(out.String(), "\n"); row != c.want {
			t.Errorf("%q, terminal %v: %q, want %q", c.session.Format, c.session.Terminal, row, c.want)
		}
	}
}

// squeezed is text whose columns are two spaces apart.
func squeezed(text string) string {
	for strings.Contains(text, "   ") {
		text = strings.ReplaceAll(text, "   ", "  ")
	}
	return text
}

func TestOneThing(t *testing.T) {
	var out bytes.Buffer
	s := cli.Session{Out: &out, Format: cli.Table, Terminal: true}
	if err := cli.One(&s, thingColumns, &thing{"a", "line\n\x1bline\n"}, nil); err != nil {
		t.Fatal(err)
	}
	want := "Name      a\nLength    i\nNote\n  line\n  ␛line\nThing ID\n  line\n  ␛line\n  line\n  ␛line\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// What JSON says, YAML says, whatever a machine printed.
func FuzzYAMLSaysWhatJSONDoes(f *testing.F) {
	for _, text := range []string{"", "plain", "a\nb\n", " leading\n  more\n", "\n", "\t\n x", "yes", "1", "null", "- a", "#", "a: b\n", "\x00\x1b\u2028\ufeff", "a\r\nb", "x \n y ", "\U0001F600", "'\"\\"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			t.Skip("JSON is UTF-8")
		}
		for _, v := range []any{map[string]any{"Output": text, "N": []any{text, 1.0, nil, true}}, []any{text}} {
			var out bytes.Buffer
			s := cli.Session{Out: &out, Format: cli.YAML}
			if err := cli.List(&s, thingColumns, nil, v); err != nil {
				t.Fatal(err)
			}
			var got any
			if err := yaml.Unmarshal(out.Bytes(), &got); err != nil {
				t.Fatalf("%v in\n%s", err, &out)
			}
			if diff := cmp.Diff(normal(t, v), normal(t, got)); diff != "" {
				t.Errorf("%s\nin\n%q", diff, out.String())
			}
		}
	})
}

// normal is v as JSON has it.
func normal(t *testing.T, v any) (same any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &same)
	}
	if err != nil {
		t.Fatal(err)
	}
	return same
}

// A question is answered by yes only.
func TestConfirmations(t *testing.T) {
	for _, c := range []struct {
		session cli.Session
		answer  string
		done    bool
	}{
		{cli.Session{Ask: true}, "y\n", true}, {cli.Session{Ask: true}, "YES\n", true}, {cli.Session{Ask: true}, "\n", false}, {cli.Session{Ask: true}, "yo\n", false},
		{cli.Session{Ask: true}, "", false}, {cli.Session{}, "y\n", false}, {cli.Session{Yes: true}, "", true},
	} {
		c.session.In, c.session.Err = strings.NewReader(c.answer), new(bytes.Buffer)
		err := c.session.Confirm("delete it")
		var exit *cli.Exit
		if done := err == nil; done != c.done || !done && (!errors.As(err, &exit) || exit.Code != cli.Refused) {
			t.Errorf("answer %q: %v, want done %v", c.answer, err, c.done)
		}
	}
}

// What has not changed is not printed again where there is no terminal.
func TestWatchPrintsChanges(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out, notes bytes.Buffer
	s := cli.Session{Out: &out, Err: &notes, Format: cli.Table, Watch: 1}
	looks := 0
	err := s.View(ctx, func(_ context.Context, s *cli.Session) error {
		if looks++; looks == 6 {
			cancel()
		}
		things := []thing{{"a", "one"}}
		if looks > 3 {
			things = append(things, thing{"b", "two"})
		}
		return cli.List(s, thingColumns, things, things)
	})
	var exit *cli.Exit
	if !errors.As(err, &exit) || exit.Code != cli.Interrupted {
		t.Errorf("%v, want exit code %d", err, cli.Interrupted)
	}
	if want := "NAME  LENGTH\na     i\n\nNAME  LENGTH\na     i\nb     i\n"; out.String() != want {
		t.Errorf("prints %q, want %q", &out, want)
	}
}
