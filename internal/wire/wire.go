package wire

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/orderly-run/orderly"
)

// Version is the version of the protocol that this code speaks, and the only one: an agent of version 1
// would run a schedule once, at once.
const Version = 2

// Paths of the API's address that are for agents.
const (
	RegisterPath = "/v1/register" // where one registers, by POST
	BusPath      = "/v1/nats"     // a WebSocket that carries a connection to the bus, byte for byte
)

// Bounds of a Reports message.
const (
	MaxReports     = 256
	MaxReportBytes = 256 << 10
)

// MaxListed is how many tasks one Hello lists for a server that knows of parts.
const MaxListed = 4096

// Numbers of snapshots: accepted, then one for each running report, and the end. Those of a run of a
// schedule have its ordinal above them, see [Number].
const (
	AcceptedNumber = 1
	EndNumber      = 1 << 31
)

// OverRun stands for the ordinal of a run in a snapshot that says that a schedule as such is over.
const OverRun = orderly.OverRun

// Number is the number of the n-th snapshot of a run: numbers grow over the whole life of a schedule.
func Number(run int, n int64) int64 { return int64(run)<<32 | n }

// Kinds of messages from an agent, the last part of their subject.
const (
	KindHello  = "hello"
	KindReport = "report"
	KindBeat   = "beat"
)

// ToSubject is the subject that one link of an instance listens on.
func ToSubject(instance, link string) string { return "orderly.to." + instance + "." + link }

// ToPattern matches the subjects of all links of an instance.
func ToPattern(instance string) string { return "orderly.to." + instance + ".*" }

// FromSubject is the subject of an instance's messages of one kind.
func FromSubject(instance, kind string) string { return "orderly.from." + instance + "." + kind }

// FromPattern matches the messages of one kind of all instances.
func FromPattern(kind string) string { return "orderly.from.*." + kind }

// Sender is the instance that a message's subject proves, "" for a foreign subject.
func Sender(subject string) string {
	rest, ok := strings.CutPrefix(subject, "orderly.from.")
	if !ok {
		return ""
	}
	id, kind, ok := strings.Cut(rest, ".")
	if !ok || kind == "" || strings.Contains(kind, ".") {
		return ""
	}
	return id
}

// A Registration asks to become a managed instance.
type Registration struct {
	ActivationID   string        `json:"activationId"`
	ActivationCode string        `json:"activationCode"`
	PublicKey      string        `json:"publicKey"` // NKey of a user
	Name           string        `json:"name,omitempty"`
	MachineID      string        `json:"machineId,omitempty"`
	Hostname       string        `json:"hostname,omitempty"`
	IntranetIP     string        `json:"intranetIp,omitempty"`
	OS             string        `json:"os"`
	OSVersion      string        `json:"osVersion,omitempty"`
	AgentVersion   string        `json:"agentVersion"`
	Tags           []orderly.Tag `json:"tags,omitempty"`
}

// Registered answers a Registration.
type Registered struct {
	InstanceID string `json:"instanceId"`
	Region     string `json:"region"`
	Name       string `json:"name"`
	NATS       string `json:"nats"`         // URL: nats://host:port or tls://host:port
	CA         string `json:"ca,omitempty"` // PEM of the CA that signs for the bus; "" for the system's
	Addresses
}

// Addresses are where servers are, as far as they say so.
type Addresses struct {
	Servers []string `json:"servers,omitempty"` // URLs of the API
	Buses   []string `json:"buses,omitempty"`   // URLs as that of Registered
}

// A Problem is the body of a refused registration.
type Problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Hello opens a link.
type Hello struct {
	Link         string   `json:"link"`
	Incarnation  string   `json:"inc"`
	Boot         string   `json:"boot"`
	Version      int      `json:"v"`
	Agent        string   `json:"agent"`          // version of the program
	Capabilities []string `json:"caps,omitempty"` // what it can do beyond its version
	// Digest stands for the tasks the agent holds: "" for none, see [Digest]. When the server's
	// differs it asks for the list.
	Digest string            `json:"digest,omitempty"`
	Tasks  []orderly.TaskKey `json:"tasks,omitempty"` // the list itself, when the server asked for it
	Listed bool              `json:"listed,omitempty"`
	// A part of a long list is all that the agent holds behind After, nil for its beginning, up to
	// Upto, nil for its end.
	After *orderly.TaskKey `json:"after,omitempty"`
	Upto  *orderly.TaskKey `json:"upto,omitempty"`
}

// A Beat is a sign of life of a link.
type Beat struct {
	Link   string `json:"link"`
	Probed bool   `json:"probed,omitempty"` // it answers a Probe
}

// A Snapshot is where one task stands; see orderly.Report.
type Snapshot struct {
	orderly.TaskKey
	Number     int64             `json:"s"`
	State      orderly.State     `json:"state"`
	Code       orderly.ErrorCode `json:"code,omitempty"`
	StartedAgo *int64            `json:"started,omitempty"` // ms before the message was sent
	EndedAgo   *int64            `json:"ended,omitempty"`
	ExitCode   *int              `json:"exit,omitempty"`
	Output     []byte            `json:"out,omitempty"`
	Offset     int64             `json:"off,omitempty"`
	Total      int64             `json:"total,omitempty"`
	Run        int               `json:"run,omitempty"`  // of a schedule: which run, 1 for the first; 0 for the task as such
	Last       bool              `json:"last,omitempty"` // with this the schedule is over
	Version    int               `json:"ver,omitempty"`  // of the schedule that the agent holds
}

// Reports carries snapshots; Number is answered by an Ack.
type Reports struct {
	Link      string     `json:"link"`
	Number    uint64     `json:"id"`
	Snapshots []Snapshot `json:"r"`
}

// A Job is what to run: the part of a Run message that all tasks of an invocation share, but for
// scripts with built-in parameters.
type Job struct {
	InvokeID    string                  `json:"invoke"`
	CommandID   string                  `json:"command"`
	Type        orderly.CommandType     `json:"type"`
	Content     []byte                  `json:"content"` // the script, ready to run
	WorkingDir  string                  `json:"dir,omitempty"`
	Username    string                  `json:"user,omitempty"`
	Timeout     int64                   `json:"timeout"` // ms
	Termination orderly.TerminationMode `json:"kill,omitempty"`
	Launcher    string                  `json:"launcher,omitempty"` // command line that starts the script (LA-1)
	File        *File                   `json:"file,omitempty"`     // what to put on the machine instead; of the others there are just InvokeID and Timeout then
	Container   *Container              `json:"ctr,omitempty"`      // where to run a script instead; of the others there are just the IDs, Timeout and Termination then
}

// A Container is one on the machine, by its ID, its name or both, and the script that is to run in it.
type Container struct {
	ID      string `json:"id,omitempty"` // 64 hex digits, behind the runtime's name and :// if it has one
	Name    string `json:"name,omitempty"`
	Content []byte `json:"content"`
}

// A File is one to put in its place: in the directory Dir, which is made when it is missing, under Name.
type File struct {
	Name      string `json:"name"`
	Dir       string `json:"dir"`
	Content   []byte `json:"content"`
	Mode      string `json:"mode,omitempty"`  // 3 or 4 octal digits; "" for 0644
	Owner     string `json:"owner,omitempty"` // "" for root
	Group     string `json:"group,omitempty"` // "" for root
	Overwrite bool   `json:"over,omitempty"`
}

// Run hands a task over.
type Run struct {
	orderly.TaskKey
	Incarnation string          `json:"inc"`
	Boot        string          `json:"boot"`
	Allowance   int64           `json:"allow,omitempty"` // ms left to take it up; 0 for no limit, below 0 over
	Plan        *Plan           `json:"plan,omitempty"`  // nil for a task that runs once, at once
	Job         json.RawMessage `json:"job"`             // stands last, for EncodeRun
}

// A Plan says when a task runs that does not just run once, at once.
type Plan struct {
	Mode      orderly.RepeatMode `json:"mode"`
	Frequency string             `json:"freq,omitempty"`   // with Period
	Age       int64              `json:"age"`              // ms since the task was created: the base of rate, and what a boot must be younger than
	Ran       int                `json:"ran,omitempty"`    // the ordinal of the last run that the server knows of
	Before    string             `json:"before,omitempty"` // the boot that it was handed to before, "" for none
	Version   int                `json:"ver,omitempty"`    // a higher one than the agent holds replaces job and plan
}

// A TaskRef names a task in a Stop or Expire.
type TaskRef struct {
	orderly.TaskKey
	Incarnation string `json:"inc"`
	Boot        string `json:"boot"`
}

// Welcome answers Hello.
type Welcome struct {
	Heartbeat int64 `json:"beat"`           // ms between beats
	Tasks     bool  `json:"list,omitempty"` // say hello again, with the list of tasks
	Window    int64 `json:"window"`         // ms over which to spread a reconnect
	// With Tasks: how many tasks a hello may list at most, 0 for a server that knows of no parts, and
	// what the list is to begin behind.
	Part  int              `json:"part,omitempty"`
	After *orderly.TaskKey `json:"after,omitempty"`
	Addresses
}

// Goodbye reasons.
const (
	ByeDuplicate    = "duplicate"
	ByeDeregistered = "deregistered"
	ByeVersion      = "version"
)

// ToAgent is a message to an agent: exactly one field is set.
type ToAgent struct {
	Welcome *Welcome `json:"welcome,omitempty"`
	Goodbye string   `json:"bye,omitempty"`
	Run     *Run     `json:"run,omitempty"`
	Stop    *TaskRef `json:"stop,omitempty"`
	Expire  *TaskRef `json:"expire,omitempty"`
	Ack     uint64   `json:"ack,omitempty"`
	Probe   bool     `json:"probe,omitempty"`
}

// EncodeRun writes a Run message around a job that is encoded already; r.Job is not looked at.
func EncodeRun(r Run, job json.RawMessage) []byte {
	r.Job = json.RawMessage("0")
	data := Encode(ToAgent{Run: &r})
	head := data[:len(data)-len("0}}")]
	return append(append(head[:len(head):len(head)], job...), "}}"...)
}

// Decode reads one message.
func Decode[T any](data []byte) (T, error) {
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		return v, fmt.Errorf("decode %T: %w", v, err)
	}
	return v, nil
}

// Encode writes one message. Messages hold nothing that JSON cannot say.
func Encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}
