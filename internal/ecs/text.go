package ecs

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
)

// A tag is one as requests have it.
type tag struct{ Key, Value string }

func tagsFrom(list []tag) []orderly.Tag {
	var tags []orderly.Tag
	for _, t := range list {
		tags = append(tags, orderly.Tag{Key: t.Key, Value: t.Value})
	}
	return tags
}

// A shownTag is a tag as answers have it.
type shownTag struct{ TagKey, TagValue string }

// wrappedTags is a list of tags in the wrapper that most answers have.
type wrappedTags struct{ Tag []shownTag }

func tagsShown(tags []orderly.Tag) []shownTag {
	var list []shownTag
	for _, t := range tags {
		list = append(list, shownTag{t.Key, t.Value})
	}
	return list
}

// timestamp is a time as answers have it; one that has not come yet is empty (rules TM-1, TM-3).
func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// plainText is the name of the encoding that is none. Any other name counts as the default, which
// is Base64 but in RunCommand (rules EN-1, EN-2).
const plainText = "PlainText"

// isBase64 reports whether the content of RunCommand is said to be Base64: there, the default is
// plain text, and the case does not matter (rule EN-2).
func isBase64(encoding string) bool { return strings.EqualFold(encoding, "Base64") }

// decodeBase64 reads a content that is said to be Base64 (rule SZ-3).
func decodeBase64(content string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(content)
	if err != nil {
		return nil, orderly.ContentUndecodable
	}
	return raw, nil
}

// encode shows content in the encoding that the request names (rule EN-1).
func encode(content []byte, encoding string) string {
	if encoding == plainText {
		return string(content)
	}
	return base64.StdEncoding.EncodeToString(content)
}

// output shows what is kept of a task's output. As plain text it begins, and while more is to come
// ends, at the edge of a character (rule OUT-2).
func output(t *orderly.Task, encoding string) string {
	text := t.Output
	if encoding == plainText && t.Dropped() > 0 {
		for n := 0; n < utf8.UTFMax-1 && len(text) > 0 && !utf8.RuneStart(text[0]); n++ {
			text = text[1:]
		}
	}
	if encoding == plainText && t.State.Live() {
		text = whole(text)
	}
	return encode(text, encoding)
}

// whole is text without the beginning of a character at its end.
func whole(text []byte) []byte {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if tail := text[len(text)-n:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return text[:len(text)-n]
			}
			return text
		}
	}
	return text
}

// dropped is how many bytes of output were discarded, as far as clients can count (rule OUT-1).
func dropped(t *orderly.Task) int32 { return int32(min(max(t.Dropped(), 0), math.MaxInt32)) }

// parameters are the values of custom parameters as answers have them: a text that holds a JSON
// object (rule EN-4).
func parameters(values map[string]string) string {
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

// seconds is a duration that a request gives as a number.
func seconds(n int64) time.Duration {
	return time.Duration(max(-maxSeconds, min(n, maxSeconds))) * time.Second
}

// timeout is a timeout as the engine takes it: 0 when there is none. One of no time or less is not
// none but too short, which the engine raises (rule CMD-5).
func timeout(n *int64) time.Duration {
	if n == nil {
		return 0
	}
	return max(seconds(*n), time.Second)
}

// repetition is what a request says about being sent again: its token, and a digest of all
// parameters of the operation that it has (rule TOK-1). A parameter without a value counts as
// absent, so that a newer server with more parameters makes the same digest.
func repetition(operation, token string, request any) engine.Repetition {
	r := engine.Repetition{Operation: operation, Token: token}
	if token == "" {
		return r
	}
	fields := map[string]json.RawMessage{}
	text, err := json.Marshal(request)
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	for name, value := range fields {
		switch string(value) {
		case `null`, `""`, `false`:
			delete(fields, name)
		}
	}
	if err == nil {
		text, err = json.Marshal(fields)
	}
	if err != nil {
		panic(err) // requests are structs of texts, numbers and lists of those
	}
	sum := sha256.Sum256(text)
	r.Digest = sum[:]
	return r
}
