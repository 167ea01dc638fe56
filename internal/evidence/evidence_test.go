package evidence_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly/internal/evidence"
)

// serve is a dialect with one operation, which greets.
func serve(params map[string]string) (int, string) {
	switch {
	case params["Name"] == "":
		return 400, `{"Code":"MissingParameter.Name","Message":"Who are you?"}`
	case params["Tone"] == evidence.NotOffered:
		return 400, `{"Code":"InvalidParameter.Tone","Message":"Tone ` + evidence.NotOffered + `."}`
	case params["Tone"] != "" && params["Tone"] != "loud" && params["Tone"] != "low":
		return 404, `{"Code":"InvalidTone.NotFound","Message":"no"}`
	}
	text := "hello " + params["Name"]
	if params["Tone"] == "loud" {
		text = strings.ToUpper(text)
	}
	answer, _ := json.Marshal(map[string]any{
		"Greeting": map[string]any{"Text": text, "Mood": "fine", "Length": len(text), "Empty": "", "Never": 0},
		"Faults":   []any{map[string]any{"ErrorCode": "Hoarse", "ErrorInfo": "lost its voice"}, map[string]any{"ErrorCode": "Deaf", "ErrorInfo": "what?"}},
	})
	return 200, string(answer)
}

// greet makes a request as a helper of tests does.
func greet(tr *evidence.Trial, expect evidence.Expectation, pairs ...string) (int, []byte) {
	r := evidence.Request{Operation: "Greet", Params: map[string]string{}, Expect: expect}
	for i := 0; i < len(pairs); i += 2 {
		r.Params[pairs[i]] = pairs[i+1]
	}
	status, body := serve(tr.Ask(r))
	return status, tr.Hear(r, status, []byte(body))
}

type greeting struct {
	Greeting struct {
		Text, Mood string
		Length     int
	}
	Faults []struct{ ErrorCode, ErrorInfo string }
}

// read makes a request that goes well, and reads its answer.
func read(t *testing.T, tr *evidence.Trial, pairs ...string) (g greeting) {
	t.Helper()
	status, body := greet(tr, evidence.Accepted, pairs...)
	if err := json.Unmarshal(body, &g); err != nil || status != 200 {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	return g
}

// promises are run by TestFindings in a process of their own, where those without something fail.
var promises = map[string]func(t *testing.T, tr *evidence.Trial){
	"reads": func(t *testing.T, tr *evidence.Trial) {
		g := read(t, tr, "Name", "you", "Tone", "loud", "OwnerId", "x", "Title", "Dr")
		if g.Greeting.Text != "HELLO YOU" || len(g.Faults) == 2 && g.Faults[0].ErrorInfo != "lost its voice" {
			t.Errorf("got %+v", g)
		}
	},
	"compares": func(t *testing.T, tr *evidence.Trial) {
		status, body := greet(tr, evidence.Whole, "Name", "you")
		if status != 200 {
			t.Error("refused")
		}
		tr.Compared("Greet", body)
	},
	"refuses": func(t *testing.T, tr *evidence.Trial) {
		if status, _ := greet(tr, evidence.Refused, "Name", "you", "Tone", evidence.NotOffered); status != 400 {
			t.Error("it is offered")
		}
		if status, _ := greet(tr, evidence.Refused, "Title", "Dr", "Tone", "loud"); status != 400 {
			t.Error("nobody is greeted")
		}
		tr.Refused("Greet", 400, "MissingParameter.Name", "Who are you?")
		tr.Refused("Greet", 404, "InvalidTone.NotFound", "another message")
	},
	"low": func(t *testing.T, tr *evidence.Trial) {
		if g := read(t, tr, "Name", "you", "Tone", "low"); g.Greeting.Text != "hello you" {
			t.Errorf("got %+v", g)
		}
	},
	"waits": func(t *testing.T, tr *evidence.Trial) {
		for read(t, tr, "Name", "you", "Patience", "1").Greeting.Mood == "" { // for ever, when the mood is taken away
		}
	},
	"panics": func(t *testing.T, tr *evidence.Trial) {
		_ = 100 / read(t, tr, "Name", "you").Greeting.Length
	},
	"fails": func(t *testing.T, tr *evidence.Trial) {
		read(t, tr, "Name", "you", "Patience", "1")
		t.Error("as it is")
	},
}

func TestFindings(t *testing.T) {
	items := []string{
		"d Greet request Name", "d Greet request Tone", "d Greet request Tone=loud", "d Greet request Tone=low", "d Greet request Title",
		"d Greet ignored OwnerId", "d Greet response Greeting.Text", "d Greet response Greeting.Mood", "d Greet response Greeting.Mood=fine",
		"d Greet response Greeting.Length", "d Greet response Greeting.Empty", "d Greet response Greeting.Never",
		"d Greet error 400 MissingParameter.Name\tWho are you?", "d Greet error 404 InvalidTone.NotFound\tno", "d Greet error 400 InvalidParameter.Tone",
		"d fault Hoarse\tlost its voice", "d fault Deaf\tanother sentence",
	}
	for name, want := range map[string][]string{
		"reads": {"compared d Greet ignored OwnerId", "needed d Greet request Name", "needed d Greet request Tone", "needed d Greet request Tone=loud",
			"needed d Greet response Greeting.Text", "needed d fault Hoarse", "passed TestPromises"},
		"compares": {"compared d Greet response Greeting.Length", "compared d Greet response Greeting.Mood", "compared d Greet response Greeting.Mood=fine",
			"compared d Greet response Greeting.Text", "compared d fault Hoarse", "needed d Greet request Name", "passed TestPromises"},
		"refuses": {"compared d Greet error 400 MissingParameter.Name", "passed TestPromises"},
		"low": {"needed d Greet request Name", "needed d Greet request Tone", "needed d Greet request Tone=low", "needed d Greet response Greeting.Text",
			"passed TestPromises"},
		"waits":  {"needed d Greet request Name", "needed d Greet response Greeting.Mood", "passed TestPromises"},
		"panics": {"needed d Greet request Name", "needed d Greet response Greeting.Length", "passed TestPromises"},
		"fails":  nil,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, evidence.ItemsFile), []byte(strings.Join(items, "\n")), 0o644); err != nil {
				t.Fatal(err)
			}
			run := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestPromises$")
			run.Env = append(os.Environ(), evidence.Variable+"="+dir, "PROMISE="+name)
			output, _ := run.CombinedOutput() // it fails on purpose
			found, err := os.ReadFile(filepath.Join(dir, evidence.FoundFile))
			if err != nil && len(want) > 0 {
				t.Fatalf("%v\n%s", err, output)
			}
			var got []string
			for line := range strings.Lines(string(found)) {
				words := strings.Split(line, "\t")
				got = append(got, fmt.Sprint(words[0], " ", words[1]))
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s%s", diff, output)
			}
		})
	}
}

func TestPromises(t *testing.T) {
	promise, ok := promises[os.Getenv("PROMISE")]
	if !ok {
		t.Skip("TestFindings runs it")
	}
	evidence.Run(t, "d", "sqlite", promise)
}

// Without anybody who asks, tests see requests and answers as they are.
func TestNobodyAsks(t *testing.T) {
	evidence.Run(t, "d", "once", func(t *testing.T, tr *evidence.Trial) {
		if tr != nil {
			t.Skip("somebody asks")
		}
		if got := read(t, tr, "Name", "you").Greeting.Text; got != "hello you" {
			t.Errorf("got %q", got)
		}
	})
}
