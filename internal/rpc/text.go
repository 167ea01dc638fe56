package rpc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/orderly-run/orderly"
)

// A Tag is one as requests have it.
type Tag struct{ Key, Value string }

// Tags are tags of a request in our words.
func Tags(list []Tag) []orderly.Tag {
	var tags []orderly.Tag
	for _, t := range list {
		tags = append(tags, orderly.Tag(t))
	}
	return tags
}

// Timestamp is a time as answers have it; one that has not come yet is empty (rules TM-1, TM-3).
func Timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// Parameters are the values of custom parameters as answers have them: a text that holds a JSON
// object (rule EN-4).
func Parameters(values map[string]string) string {
	if len(values) == 0 {
		return "{}"
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(values); err != nil {
		panic(err) // texts by texts
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// maxSeconds is more than any limit on a number of seconds, and no more than a Duration holds.
const maxSeconds = 1 << 32

// Seconds is a duration that a request gives as a number.
func Seconds(n int64) time.Duration {
	return time.Duration(max(-maxSeconds, min(n, maxSeconds))) * time.Second
}

// Timeout is a timeout as the engine takes it: 0 when there is none. One of no time or less is not
// none but too short, which the engine raises (rule CMD-5).
func Timeout(n *int64) time.Duration {
	if n == nil {
		return 0
	}
	return max(Seconds(*n), time.Second)
}

// CheckTexts refuses text that no database stores: of several parameters the first by name, so
// that the same request always gives the same error. The parameters that are checked later have
// rules of their own for such text.
func CheckTexts(params map[string]string, later map[string]bool) error {
	first := ""
	for name, value := range params {
		parameter, _, _ := strings.Cut(name, ".")
		if !later[parameter] && CheckText(parameter, value) != nil && (first == "" || name < first) {
			first = name
		}
	}
	parameter, _, _ := strings.Cut(first, ".")
	return CheckText(parameter, params[first])
}

// CheckText refuses text that is not UTF-8 or holds the character 0.
func CheckText(parameter, value string) error {
	if utf8.ValidString(value) && !strings.ContainsRune(value, 0) {
		return nil
	}
	return Invalid(parameter, "The specified parameter %s is not valid.")
}

// TextList reads a list that is sent as one JSON text; "" is none.
func TextList(parameter, text string) (list []string, err error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, Invalid(parameter, "The specified %s is not a JSON list of texts.")
	}
	for _, s := range list {
		if err := CheckText(parameter, s); err != nil { // the JSON may hold it escaped
			return nil, err
		}
	}
	return list, nil
}

// Invalid refuses the value of a parameter that has no code of its own. The parameter's name goes
// into the format.
func Invalid(parameter, format string) error {
	return &Error{Status: http.StatusBadRequest, Code: "InvalidParameter." + parameter, Message: fmt.Sprintf(format, parameter)}
}
