// Package orderly is the vocabulary of Orderly: what a command, an invocation, a task and an
// instance are, and how they change. It is pure: no I/O, no clock, no goroutine. Everything that
// talks to something stands in a package of its own under internal.
//
//   - A [Command] is a script with its defaults.
//   - An [Invocation] is one request to run a command on a set of instances, or to put a [File] there.
//   - A [Task] is the share of one instance in one invocation; its [State] moves along one table.
//   - An [Instance] is a registered machine, an [Activation] the code it registered with.
//
// Times are UTC with millisecond precision; the zero time means "not yet".
package orderly

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Caller is who sent a request: the account it acts for, the access key that signed it, the
// address it came from and the ID under which its answer and its audit line can be found.
//
// Its realm is where the commands and invocations are that it makes, and the only ones that it can
// know of (rule SW-3). Each dialect of the API has its own; machines are in all of them.
type Caller struct {
	Account   string
	Realm     string
	KeyID     string
	SourceIP  string
	RequestID string
}

// A Tag is a key with a value that its owner chose.
type Tag struct {
	Key   string `json:"k"`
	Value string `json:"v"`
}

// Kinds of IDs, as prefixes (rule ID-1).
const (
	CommandPrefix    = "c"
	InvocationPrefix = "t"
	FilePrefix       = "f" // of an invocation that sends a file
	InstancePrefix   = "mi"
)

// idTail is how many characters of an ID stand for its number.
const idTail = 12

// NewID makes the ID of the thing that was created as number seq (rule ID-5) in a region, in the
// published shape <prefix>-<2 letters>0<12 characters> (rule ID-2).
func NewID(prefix, region string, seq int64) string {
	tail := strconv.FormatInt(seq, 36)
	return fmt.Sprintf("%s-%s0%s%s", prefix, regionLetters(region), strings.Repeat("0", max(0, idTail-len(tail))), tail)
}

// regionLetters is the two-letter code that IDs of a region carry: the published one, as in
// cn-hangzhou → hz, or the first two letters of the name's last word.
func regionLetters(region string) string {
	word := region[strings.LastIndexByte(region, '-')+1:]
	known := map[string]string{"hangzhou": "hz", "shanghai": "sh", "beijing": "bj", "shenzhen": "sz", "qingdao": "qd", "zhangjiakou": "zj", "chengdu": "cd"}
	if s := known[word]; s != "" {
		return s
	}
	letters := make([]byte, 0, 2)
	for i := 0; i < len(word) && len(letters) < 2; i++ {
		if c := word[i]; c >= 'a' && c <= 'z' {
			letters = append(letters, c)
		}
	}
	for len(letters) < 2 {
		letters = append(letters, 'x')
	}
	return string(letters)
}

// Millis is t as it is stored: Unix milliseconds, 0 for the zero time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// FromMillis is the time stored as ms; 0 is the zero time.
func FromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
