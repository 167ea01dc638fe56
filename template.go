package orderly

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of custom parameters (rules PAR-2, PAR-3).
const (
	maxParameterNames = 20
	maxParameterName  = 64 // how many values a request may give is for CommandLimits to say
)

var (
	placeholder   = regexp.MustCompile(`\{\{([^{}]*)\}\}`)
	parameterName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	builtin       = regexp.MustCompile(`^ACS\s*::\s*(.*)$`)
)

// Builtins are the values of the built-in parameters on one instance (rule ENV-1).
type Builtins struct {
	RegionID, AccountID, InstanceID, InstanceName, InvokeID, CommandID string
}

// value is the value of a built-in parameter; its name is case-sensitive (rule ENV-5).
func (b Builtins) value(name string) (string, bool) {
	switch name {
	case "RegionId":
		return b.RegionID, true
	case "AccountId":
		return b.AccountID, true
	case "InstanceId":
		return b.InstanceID, true
	case "InstanceName":
		return b.InstanceName, true
	case "InvokeId":
		return b.InvokeID, true
	case "CommandId":
		return b.CommandID, true
	}
	return "", false
}

// ParameterNames lists the custom parameters of a content in order of first appearance, without
// the built-in ones (rules PAR-1, PAR-2, PAR-7, ENV-4). Names that differ only in case are one.
func ParameterNames(content []byte) ([]string, error) {
	var names []string
	seen := map[string]bool{}
	for _, m := range placeholder.FindAllSubmatch(content, -1) {
		name := strings.TrimSpace(string(m[1]))
		if b := builtin.FindStringSubmatch(name); b != nil {
			if _, ok := (Builtins{}).value(b[1]); !ok {
				return nil, ParameterNameInvalid.Errorf("%q is no built-in parameter", name)
			}
			continue
		}
		if err := checkParameterName(name); err != nil {
			return nil, err
		}
		if fold := strings.ToLower(name); !seen[fold] {
			seen[fold] = true
			names = append(names, name)
		}
	}
	if len(names) > maxParameterNames {
		return nil, ParameterNamesTooMany
	}
	return names, nil
}

func checkParameterName(name string) error {
	switch {
	case name == "":
		return ParameterNameEmpty
	case !parameterName.MatchString(name):
		return ParameterNameInvalid.Errorf("%q", name)
	case len(name) > maxParameterName:
		return ParameterNameTooLong
	}
	return nil
}

// DecodeParameters reads the values that a request gives to custom parameters: a JSON object of at
// most limit scalars (rule PAR-3). "" is none.
func DecodeParameters(text string, limit int) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') || !json.Valid([]byte(text)) {
		return nil, ParametersMalformed
	}
	// By tokens, for a map would hide keys that come twice.
	params, folded := map[string]string{}, map[string]bool{}
	for dec.More() {
		key, value, err := decodeParameter(dec)
		if err != nil {
			return nil, err
		}
		fold := strings.ToLower(key)
		if folded[fold] {
			return nil, ParameterKeyDuplicate.Errorf("%q", key)
		}
		folded[fold] = true
		params[key] = value
		if len(params) > limit {
			return nil, ParametersTooMany
		}
	}
	return params, nil
}

func decodeParameter(dec *json.Decoder) (key, value string, err error) {
	k, err := dec.Token()
	if err != nil {
		return "", "", ParametersMalformed
	}
	key = k.(string) // the decoder admits nothing else as a key
	switch {
	case key == "":
		return "", "", ParameterKeyEmpty
	case utf8.RuneCountInString(key) > maxParameterName:
		return "", "", ParameterKeyTooLong
	}
	v, err := dec.Token()
	if err != nil {
		return "", "", ParametersMalformed
	}
	switch v := v.(type) {
	case string:
		value = v
	case json.Number:
		value = v.String()
	case bool:
		value = strconv.FormatBool(v)
	default:
		return "", "", ParameterTypeInvalid.Errorf("%q", key)
	}
	if noText(key) || noText(value) {
		return "", "", ParameterIllegal.Errorf("%q", key)
	}
	return key, value, nil
}

// CheckParameterKeys finds a key that cannot be the name of a parameter (rule PAR-2).
func CheckParameterKeys(params map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(params)) {
		if !parameterName.MatchString(key) {
			return ParameterKeyMalformed.Errorf("%q", key)
		}
	}
	return nil
}

// noText reports whether s holds what no script can be given: the character 0, or what the decoder
// puts in the place of bytes and escapes that are not Unicode.
func noText(s string) bool {
	return strings.ContainsRune(s, 0) || strings.ContainsRune(s, utf8.RuneError)
}

// Takes finds whether c takes these values: it has parameters, and each of them (rules PAR-3,
// PAR-5).
func (c *Command) Takes(params map[string]string) error {
	if len(params) == 0 {
		return nil
	}
	if !c.EnableParameter {
		return ParametersDisabled
	}
	names, err := ParameterNames(c.Content)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, n := range names {
		known[strings.ToLower(n)] = true // not EqualFold, which folds letters that no name has
	}
	for _, k := range slices.Sorted(maps.Keys(params)) {
		if !known[strings.ToLower(k)] {
			return ParameterUnknown.Errorf("%q", k)
		}
	}
	return nil
}

// Render is the script that runs on one instance: content with its placeholders replaced. Names
// that were not passed become empty (rule PAR-4).
func Render(content []byte, params map[string]string, b Builtins) []byte {
	return render(content, params, func(_ []byte, name string) []byte {
		v, _ := b.value(name)
		return []byte(v)
	})
}

// render replaces custom placeholders by their values, and a built-in one by what is made of it
// and its name.
func render(content []byte, params map[string]string, replace func(placeholder []byte, name string) []byte) []byte {
	folded := make(map[string]string, len(params))
	for k, v := range params {
		folded[strings.ToLower(k)] = v
	}
	return placeholder.ReplaceAllFunc(content, func(m []byte) []byte {
		name := strings.TrimSpace(string(bytes.Trim(m, "{}")))
		if sub := builtin.FindStringSubmatch(name); sub != nil {
			return replace(m, sub[1])
		}
		return []byte(folded[strings.ToLower(name)])
	})
}

// CheckRendered finds whether the content with its custom parameters is too long (rule SZ-2); its
// built-in ones count as they are written.
func (c *Command) CheckRendered(params map[string]string, l CommandLimits) error {
	content := c.Content
	if c.EnableParameter {
		content = render(content, params, func(placeholder []byte, _ string) []byte { return placeholder })
	}
	if base64.StdEncoding.EncodedLen(len(content)) > l.ContentBytes {
		return ContentTooLong
	}
	return nil
}
