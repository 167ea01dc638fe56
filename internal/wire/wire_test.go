package wire_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/wire"
)

var update = flag.Bool("update", false, "write the files that tests compare with")

func TestSenderIsInTheSubject(t *testing.T) {
	tests := []struct{ subject, want string }{
		{wire.FromSubject("mi-1", wire.KindHello), "mi-1"},
		{wire.FromSubject("mi-1", wire.KindReport), "mi-1"},
		{wire.FromSubject("mi-1", wire.KindBeat), "mi-1"},
		{"orderly.from.mi-1", ""},
		{"orderly.from.mi-1.", ""},
		{"orderly.from.mi-1.hello.more", ""},
		{"orderly.from..hello", ""},
		{wire.ToSubject("mi-1", "link"), ""},
		{"xorderly.from.mi-1.hello", ""},
		{"orderly.fromx.mi-1.hello", ""},
		{"", ""},
	}
	for _, tt := range tests {
		if got := wire.Sender(tt.subject); got != tt.want {
			t.Errorf("Sender(%q) = %q, want %q", tt.subject, got, tt.want)
		}
	}
}

// matches is how NATS matches a subject: "*" stands for one part.
func matches(pattern, subject string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(subject, ".")
	return slices.EqualFunc(p, s, func(a, b string) bool { return a == b || a == "*" })
}

func TestPatternsMatchTheirSubjects(t *testing.T) {
	tests := []struct {
		pattern, subject string
		want             bool
	}{
		{wire.ToPattern("mi-1"), wire.ToSubject("mi-1", "a"), true},
		{wire.ToPattern("mi-1"), wire.ToSubject("mi-2", "a"), false},
		{wire.FromPattern(wire.KindBeat), wire.FromSubject("mi-1", wire.KindBeat), true},
		{wire.FromPattern(wire.KindBeat), wire.FromSubject("mi-1", wire.KindHello), false},
		{wire.FromPattern(wire.KindBeat), wire.ToSubject("mi-1", wire.KindBeat), false},
	}
	for _, tt := range tests {
		if got := matches(tt.pattern, tt.subject); got != tt.want {
			t.Errorf("%s matches %s: %t, want %t", tt.pattern, tt.subject, got, tt.want)
		}
	}
}

func ptr[T any](v T) *T { return &v }

var key = orderly.TaskKey{Invocation: 1867392000000 << 20, Ordinal: 3}

var job = wire.Job{
	InvokeID: "t-hz0abc", CommandID: "c-hz0abc", Type: orderly.RunShellScript, Content: []byte("echo hello\n"),
	WorkingDir: "/root", Username: "root", Timeout: 60000, Termination: orderly.KillProcessTree,
}

// A message is one example of a kind; its golden file is testdata/<name>.json. A second
// implementation can be checked by the same files.
type message struct {
	name   string
	value  any
	decode func([]byte) (any, error)
}

func decode[T any](data []byte) (any, error) { return wire.Decode[T](data) }

func messages() []message {
	ref := &wire.TaskRef{TaskKey: key, Incarnation: "inc-1", Boot: "boot-1"}
	toAgent := func(name string, m wire.ToAgent) message { return message{name, m, decode[wire.ToAgent]} }
	report := func(name string, s wire.Snapshot) message {
		s.TaskKey = key
		return message{name, wire.Reports{Link: "link-1", Number: 12, Snapshots: []wire.Snapshot{s}}, decode[wire.Reports]}
	}
	return []message{
		{"registration", wire.Registration{
			ActivationID: "A-1", ActivationCode: "a-hz0code", PublicKey: "UKEY", Name: "web-1", MachineID: "machine-1", Hostname: "web",
			IntranetIP: "10.0.0.7", OS: "linux", OSVersion: "Debian 13", AgentVersion: "1.0.0", Tags: []orderly.Tag{{Key: "env", Value: "prod"}},
		}, decode[wire.Registration]},
		{"registered", wire.Registered{
			InstanceID: "mi-hz0abc", Region: "cn-hangzhou", Name: "web-1", NATS: "tls://server:4222", CA: "PEM\n",
		}, decode[wire.Registered]},
		{"problem", wire.Problem{Code: "ActivationExpired", Message: "the activation code has expired"}, decode[wire.Problem]},
		{"hello", wire.Hello{
			Link: "link-1", Incarnation: "inc-1", Boot: "boot-1", Version: wire.Version, Agent: "1.0.0",
			Capabilities: []string{"example"}, Digest: wire.Digest([]orderly.TaskKey{key}),
		}, decode[wire.Hello]},
		{"hello-listed", wire.Hello{
			Link: "link-1", Incarnation: "inc-1", Boot: "boot-1", Version: wire.Version, Agent: "1.0.0",
			Digest: wire.Digest([]orderly.TaskKey{key}), Tasks: []orderly.TaskKey{key}, Listed: true,
		}, decode[wire.Hello]},
		{"hello-part", wire.Hello{
			Link: "link-1", Incarnation: "inc-1", Boot: "boot-1", Version: wire.Version, Agent: "1.0.0",
			Digest: wire.Digest([]orderly.TaskKey{key}), Tasks: []orderly.TaskKey{key}, Listed: true, After: &orderly.TaskKey{Invocation: 7}, Upto: &key,
		}, decode[wire.Hello]},
		{"beat", wire.Beat{Link: "link-1"}, decode[wire.Beat]},
		report("report-accepted", wire.Snapshot{Number: wire.AcceptedNumber, State: orderly.Pending}),
		report("report-running", wire.Snapshot{
			Number: 2, State: orderly.Running, StartedAgo: ptr[int64](0), Output: []byte("hello\n"), Offset: 6, Total: 12,
		}),
		report("report-ended", wire.Snapshot{
			Number: wire.EndNumber, State: orderly.Failed, Code: orderly.ExitCodeNonzero, StartedAgo: ptr[int64](1500), EndedAgo: ptr[int64](20),
			ExitCode: ptr(3), Output: []byte{0xff, 0}, Total: 100000,
		}),
		report("report-silent", wire.Snapshot{ // no output, and an exit code of 0 is not none
			Number: wire.EndNumber, State: orderly.Success, StartedAgo: ptr[int64](15), EndedAgo: ptr[int64](0), ExitCode: ptr(0),
		}),
		report("report-of-a-run", wire.Snapshot{
			Number: wire.Number(7, wire.EndNumber), State: orderly.Success, StartedAgo: ptr[int64](15), EndedAgo: ptr[int64](0), ExitCode: ptr(0),
			Run: 7, Last: true, Version: 2,
		}),
		report("report-over", wire.Snapshot{
			Number: wire.Number(wire.OverRun, wire.EndNumber), State: orderly.Cancelled, EndedAgo: ptr[int64](0), Run: wire.OverRun, Last: true, Version: 2,
		}),
		toAgent("welcome", wire.ToAgent{Welcome: &wire.Welcome{Heartbeat: 60000, Tasks: true, Window: 5000}}),
		toAgent("welcome-part", wire.ToAgent{Welcome: &wire.Welcome{Heartbeat: 60000, Tasks: true, Window: 5000, Part: 4096, After: &key}}),
		toAgent("goodbye", wire.ToAgent{Goodbye: wire.ByeDuplicate}),
		toAgent("run", wire.ToAgent{Run: &wire.Run{TaskKey: key, Incarnation: "inc-1", Boot: "boot-1", Allowance: 59990, Job: wire.Encode(job)}}),
		toAgent("run-period", wire.ToAgent{Run: &wire.Run{TaskKey: key, Incarnation: "inc-1", Boot: "boot-1", Allowance: 59990, Job: wire.Encode(job),
			Plan: &wire.Plan{Mode: orderly.Period, Frequency: "rate(5m)", Age: 10, Ran: 7, Version: 2}}}),
		toAgent("run-reboot", wire.ToAgent{Run: &wire.Run{TaskKey: key, Incarnation: "inc-1", Boot: "boot-2", Job: wire.Encode(job),
			Plan: &wire.Plan{Mode: orderly.EveryReboot, Age: 86400000, Ran: 7, Before: "boot-1"}}}),
		{"job", job, decode[wire.Job]},
		toAgent("stop", wire.ToAgent{Stop: ref}),
		toAgent("expire", wire.ToAgent{Expire: ref}),
		toAgent("ack", wire.ToAgent{Ack: 12}),
		toAgent("probe", wire.ToAgent{Probe: true}),
	}
}

func TestMessagesAreAsPublished(t *testing.T) {
	for _, m := range messages() {
		t.Run(m.name, func(t *testing.T) {
			file := filepath.Join("testdata", m.name+".json")
			var got bytes.Buffer
			if err := json.Indent(&got, wire.Encode(m.value), "", "  "); err != nil {
				t.Fatal(err)
			}
			got.WriteByte('\n')
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("%s: (-want +got):\n%s", file, diff)
			}
			back, err := m.decode(want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(compact(t, wire.Encode(m.value)), compact(t, wire.Encode(back))); diff != "" {
				t.Errorf("%s, decoded and encoded again (-want +got):\n%s", file, diff)
			}
		})
	}
}

// compact is JSON without blanks: the raw job within a run message keeps those of the file.
func compact(t *testing.T, data []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Every file is of a message that still exists.
func TestNoFileIsLeftOver(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		if !slices.ContainsFunc(messages(), func(m message) bool { return m.name == name }) {
			t.Errorf("%s belongs to no message", f)
		}
	}
}

// A newer side may say more than this version knows.
func TestUnknownFieldsAreIgnored(t *testing.T) {
	got, err := wire.Decode[wire.ToAgent]([]byte(`{"ack":7,"later":{"x":1}}`))
	if err != nil || got.Ack != 7 {
		t.Errorf("Decode = %+v, %v, want ack 7", got, err)
	}
}

func TestBrokenMessages(t *testing.T) {
	for _, text := range []string{"", "{", "[]", `"ack"`, "7", `{"ack":-1}`, `{"ack":1}x`, `{"run":[]}`, `{"stop":{"i":"x"}}`} {
		if got, err := wire.Decode[wire.ToAgent]([]byte(text)); err == nil {
			t.Errorf("Decode(%q) = %+v, want an error", text, got)
		}
	}
}

func TestDigest(t *testing.T) {
	if got := wire.Digest(nil); got != "" {
		t.Errorf("of none: %q, want none", got)
	}
	keys := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) orderly.TaskKey {
		return orderly.TaskKey{
			Invocation: rapid.Int64().Draw(t, "invocation"),
			Ordinal:    rapid.IntRange(0, 1000).Draw(t, "ordinal"),
		}
	}), 1, 20)
	rapid.Check(t, func(t *rapid.T) {
		held := keys.Draw(t, "held")
		before := slices.Clone(held)
		digest := wire.Digest(held)
		if !slices.Equal(before, held) {
			t.Fatal("Digest changed the order of its argument")
		}
		if got := wire.Digest(rapid.Permutation(held).Draw(t, "shuffled")); got != digest {
			t.Errorf("%q in one order, %q in another", digest, got)
		}
		if got := wire.Digest(held[1:]); got == digest {
			t.Errorf("%q also without %v", got, held[0])
		}
		other := slices.Clone(held)
		other[0].Ordinal += 5000
		if got := wire.Digest(other); got == digest {
			t.Errorf("%q also with %v in place of %v", got, other[0], held[0])
		}
	})
}

// fuzz starts from the golden files: whatever decodes must encode, and decode as the same again.
func fuzz[T any](f *testing.F) {
	for _, m := range messages() {
		f.Add(wire.Encode(m.value))
	}
	f.Add([]byte(`null`))
	f.Add([]byte(`{"r":[{"out":"!"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := wire.Decode[T](data)
		if err != nil {
			return
		}
		text := wire.Encode(v)
		again, err := wire.Decode[T](text)
		if err != nil {
			t.Fatalf("%s does not decode: %v", text, err)
		}
		if got := wire.Encode(again); !bytes.Equal(got, text) {
			t.Fatalf("%s becomes %s", text, got)
		}
	})
}

func FuzzToAgent(f *testing.F) { fuzz[wire.ToAgent](f) }
func FuzzReports(f *testing.F) { fuzz[wire.Reports](f) }
func FuzzHello(f *testing.F)   { fuzz[wire.Hello](f) }

// A job that is encoded already stands in the message as it is, with a plan or without.
func TestRunAroundAnEncodedJob(t *testing.T) {
	job := wire.Encode(wire.Job{InvokeID: "t-1", Content: []byte("true"), Timeout: 60_000})
	for name, plan := range map[string]*wire.Plan{"once": nil, "schedule": {Mode: orderly.Period, Frequency: "rate(1h)", Age: 7, Version: 2}} {
		want := wire.Run{TaskKey: orderly.TaskKey{Invocation: 3, Ordinal: 4}, Incarnation: "inc", Boot: "boot", Allowance: 5, Plan: plan, Job: job}
		got, err := wire.Decode[wire.ToAgent](wire.EncodeRun(want, job))
		if err != nil || got.Run == nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, *got.Run); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
