package ecs

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/engine"
)

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

// plainText is the name of the encoding that is none. Any other name counts as the default, which
// is Base64 but in RunCommand (rules EN-1, EN-2).
const plainText = "PlainText"

// base64Text is the name of the other.
const base64Text = "Base64"

// isBase64 reports whether the content of RunCommand is said to be Base64: there, the default is
// plain text, and the case does not matter (rule EN-2).
func isBase64(encoding string) bool { return strings.EqualFold(encoding, base64Text) }

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

// output shows what is kept of a task's output; as plain text it is text (rule OUT-2).
func output(t *orderly.Task, encoding string) string {
	if encoding == plainText {
		return string(t.Text())
	}
	return encode(t.Output, encoding)
}

// dropped is how many bytes of output were discarded, as far as clients can count (rule OUT-1).
func dropped(t *orderly.Task) int32 { return int32(min(max(t.Dropped(), 0), math.MaxInt32)) }

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
