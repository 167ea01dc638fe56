package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// An Expectation is what a test does with an answer.
type Expectation int

const (
	Accepted Expectation = iota // it reads some of it
	Whole                       // it compares it with a file
	Refused                     // it wants a refusal
)

// NotOffered is in the message of a refusal that says nothing about the request but that the server
// cannot do it yet. It pins nothing.
const NotOffered = "is not offered by this server yet"

// A Request is one request of a test.
type Request struct {
	Operation string
	Params    map[string]string
	Expect    Expectation
}

// A Trial is one run of a test: as it is, or without some items. A nil trial is one of nobody.
type Trial struct {
	t        *testing.T
	book     *book
	dialect  string
	asked    atomic.Int64
	patience int64 // requests, for a loop may wait for what was taken away

	// as it is
	test    string
	mu      sync.Mutex
	touched map[string]bool

	// without some items
	way     way
	without map[string]bool
}

// Ask returns the parameters to send.
func (tr *Trial) Ask(r Request) map[string]string {
	if tr == nil {
		return r.Params
	}
	if n := tr.asked.Add(1); tr.way == asIs {
		return r.Params
	} else if n > tr.patience || tr.t.Failed() {
		tr.t.FailNow() // for ever, or for nothing new
	}
	params := maps.Clone(r.Params)
	for name, value := range r.Params {
		item := tr.parameter(r.Operation, name)
		switch {
		case tr.way == drop && tr.without[item] && r.Expect != Refused:
			delete(params, name)
		case tr.way == other && tr.without[item+"="+value]:
			params[name] = otherOf(tr.book.enums[item], value)
		case tr.way == unknown && (tr.without[item+"="+value] || tr.without[item] && r.Expect != Refused):
			params[name] = nonsense
		}
	}
	return params
}

func otherOf(values []string, value string) string {
	for _, v := range values {
		if v != value {
			return v
		}
	}
	return nonsense
}

// Hear is told of the answer to a request that was asked for with params, and returns the answer that
// the test is to see.
func (tr *Trial) Hear(r Request, status int, body []byte) []byte {
	switch {
	case tr == nil || r.Expect == Refused && bytes.Contains(body, []byte(NotOffered)):
	case tr.way == asIs:
		tr.touchRequest(r)
		if r.Expect == Accepted && status == http.StatusOK {
			tr.walk(r.Operation, body, tr.touch)
		}
	case r.Expect == Accepted && status == http.StatusOK && tr.way >= blank:
		return tr.lessen(r.Operation, body)
	}
	return body
}

// touchRequest notes what a request has. Only a request that is to go well shows that a parameter is
// taken; a refusal shows at least that the values of an enum are known.
func (tr *Trial) touchRequest(r Request) {
	for name, value := range r.Params {
		if value == "" {
			continue
		}
		item := tr.parameter(r.Operation, name)
		if tr.touch(item + "=" + value); r.Expect != Refused {
			tr.touch(item)
			tr.compare(tr.dialect + " " + r.Operation + " ignored " + name)
		}
	}
}

func (tr *Trial) touch(item string) {
	if tr.book.wants(item) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		tr.touched[item] = true
	}
}

func (tr *Trial) compare(item string) {
	if tr.book.wants(item) {
		tr.book.find(Compared, item, tr.test)
	}
}

// Compared says that the test has compared the whole of an answer in JSON, and found it right.
func (tr *Trial) Compared(operation string, body []byte) {
	if tr != nil && tr.way == asIs {
		tr.walk(operation, body, tr.compare)
	}
}

// Refused says that the test has found a refusal as it wants it.
func (tr *Trial) Refused(operation string, status int, code, message string) {
	if tr == nil || tr.way != asIs {
		return
	}
	item := fmt.Sprintf("%s %s error %d %s", tr.dialect, operation, status, code)
	if want := tr.book.items[item]; want == "" || want == message {
		tr.compare(item)
	}
}

// index finds the number of a list's element in a parameter's name.
var index = regexp.MustCompile(`\.\d+(\.|$)`)

// parameter is the item of a parameter: all elements of a list are one. A list's bare name is a list
// of one.
func (tr *Trial) parameter(operation, name string) string {
	item := tr.dialect + " " + operation + " request " + index.ReplaceAllString(name, ".N$1")
	if _, ok := tr.book.items[item+".N"]; ok {
		return item + ".N"
	}
	return item
}

// walk visits the items of an answer: its fields that have a value, the values of enums, and faults.
// A field that is empty, 0 or false would look so too if nobody had set it.
func (tr *Trial) walk(operation string, body []byte, visit func(item string)) {
	rewrite(parse(body), "", func(l leaf) any {
		if item := tr.field(operation, l.path); !l.zero() {
			visit(item)
			visit(item + "=" + l.text())
		}
		if want := tr.book.items[tr.fault(l)]; l.key == "ErrorInfo" && (want == "" || want == l.text()) {
			visit(tr.fault(l))
		}
		return l.value
	})
}

func (tr *Trial) field(operation, path string) string {
	return tr.dialect + " " + operation + " response " + path
}

// fault is the item of the fault that an ErrorInfo tells of.
func (tr *Trial) fault(l leaf) string {
	code, _ := l.holder["ErrorCode"].(string)
	return tr.dialect + " fault " + code
}

// lessen takes items out of an answer.
func (tr *Trial) lessen(operation string, body []byte) []byte {
	answer := parse(body)
	if answer == nil {
		return body
	}
	less, err := json.Marshal(rewrite(answer, "", func(l leaf) any {
		item := tr.field(operation, l.path)
		switch {
		case tr.way == blank && tr.without[item]:
			return l.empty()
		case tr.way == replace && tr.without[item+"="+l.text()]:
			return nonsense
		case tr.way == silence && l.key == "ErrorInfo" && tr.without[tr.fault(l)]:
			return ""
		}
		return l.value
	}))
	if err != nil {
		tr.t.Fatal(err)
	}
	return less
}

// parse reads an answer in JSON; nil for one that is not.
func parse(body []byte) any {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var answer map[string]any
	if d.Decode(&answer) != nil {
		return nil
	}
	return answer
}

// A leaf is one value of an answer: a text, a number or a truth.
type leaf struct {
	path   string // names of fields, without the places in lists
	key    string
	value  any
	holder map[string]any
}

// rewrite puts what f returns in the place of each leaf below v.
func rewrite(v any, path string, f func(leaf) any) any {
	object, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		at := strings.TrimPrefix(path+"."+key, ".")
		object[key] = rewriteIn(leaf{at, key, object[key], object}, f)
	}
	return object
}

func rewriteIn(l leaf, f func(leaf) any) any {
	switch v := l.value.(type) {
	case map[string]any:
		return rewrite(v, l.path, f)
	case []any:
		for i, element := range v {
			v[i] = rewriteIn(leaf{l.path, l.key, element, l.holder}, f)
		}
		return v
	}
	return f(l)
}

func (l leaf) zero() bool { return l.value == nil || l.value == l.empty() }

func (l leaf) empty() any {
	switch l.value.(type) {
	case json.Number:
		return json.Number("0")
	case bool:
		return false
	case nil:
		return nil
	}
	return ""
}

func (l leaf) text() string { return fmt.Sprint(l.value) }
