package orderly_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orderly-run/orderly"
)

// names joins n distinct placeholders.
func names(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{{p%d}} ", i)
	}
	return b.String()
}

func TestParameterNames(t *testing.T) {
	long := strings.Repeat("n", 64)
	tests := []struct {
		rule, content string
		want          []string
		err           error
	}{
		{"PAR-1", "echo {{name}}", []string{"name"}, nil},
		{"PAR-1, blanks and line breaks", "{{ a }}{{\n\tb\r\n}}", []string{"a", "b"}, nil},
		{"PAR-1, no placeholders", "echo {name} { {name} } $a", nil, nil},
		{"PAR-1, unclosed", "echo {{name}", nil, nil},
		{"PAR-1, inside other braces", "awk '{{{a}}}'", []string{"a"}, nil},
		{"PAR-2, characters", "{{A-z_09}}", []string{"A-z_09"}, nil},
		{"PAR-2, a blank within", "{{a b}}", nil, orderly.ParameterNameInvalid},
		{"PAR-2, a dot", "{{.Names}}", nil, orderly.ParameterNameInvalid},
		{"PAR-2, not ASCII", "{{größe}}", nil, orderly.ParameterNameInvalid},
		{"PAR-2, empty", "{{}}", nil, orderly.ParameterNameEmpty},
		{"PAR-2, only blanks", "{{ }}", nil, orderly.ParameterNameEmpty},
		{"PAR-2, 64 bytes", "{{" + long + "}}", []string{long}, nil},
		{"PAR-2, 65 bytes", "{{" + long + "n}}", nil, orderly.ParameterNameTooLong},
		{"PAR-2, case-insensitive", "{{Name}}{{NAME}}{{name}}", []string{"Name"}, nil},
		{"PAR-2, 20 distinct", names(20) + names(20), strings.Fields(strings.NewReplacer("{", "", "}", "").Replace(names(20))), nil},
		{"PAR-2, 21 distinct", names(21), nil, orderly.ParameterNamesTooMany},
		{"PAR-7, order of first appearance", "{{b}}{{a}}{{b}}{{ACS::InvokeId}}{{c}}", []string{"b", "a", "c"}, nil},
		{"ENV-1", "{{ACS::RegionId}}{{ACS::AccountId}}{{ACS::InstanceId}}{{ACS::InstanceName}}{{ACS::InvokeId}}{{ACS::CommandId}}", nil, nil},
		{"ENV-4", "{{ACS::Password}}", nil, orderly.ParameterNameInvalid},
		{"ENV-4, empty", "{{ACS::}}", nil, orderly.ParameterNameInvalid},
		{"ENV-5, blanks", "{{ ACS :: InstanceId }}", nil, nil},
		{"ENV-5, case of the name", "{{ACS::instanceId}}", nil, orderly.ParameterNameInvalid},
		{"ENV-5, case of the prefix", "{{acs::InstanceId}}", nil, orderly.ParameterNameInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			got, err := orderly.ParameterNames([]byte(tt.content))
			if !errors.Is(err, tt.err) || !cmp.Equal(got, tt.want) {
				t.Errorf("ParameterNames = %q, %v, want %q, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

// object is a JSON object with the first n parameters of names.
func object(n int) string {
	var members []string
	for i := range n {
		members = append(members, fmt.Sprintf(`"p%d":"v"`, i))
	}
	return "{" + strings.Join(members, ",") + "}"
}

// give reads values for the parameters of a command.
func give(c *orderly.Command, text string) (map[string]string, error) {
	params, err := orderly.DecodeParameters(text, orderly.ECSLimits.Parameters)
	if err == nil {
		err = c.Takes(params)
	}
	if err != nil {
		return nil, err
	}
	return params, nil
}

func TestParameterValues(t *testing.T) {
	key64 := strings.Repeat("k", 64)
	tests := []struct {
		rule, content, text string
		want                map[string]string
		err                 error
	}{
		{"PAR-3, none", "{{a}}", "", nil, nil},
		{"PAR-3, empty object", "{{a}}", "{}", nil, nil},
		{"PAR-3, a string", "{{a}}", `{"a":"x y"}`, map[string]string{"a": "x y"}, nil},
		{"PAR-3, an empty value", "{{a}}", `{"a":""}`, map[string]string{"a": ""}, nil},
		{"PAR-3, scalars", "{{a}}{{b}}{{c}}", `{"a":1.50,"b":true,"c":-0}`, map[string]string{"a": "1.50", "b": "true", "c": "-0"}, nil},
		{"PAR-3, null", "{{a}}", `{"a":null}`, nil, orderly.ParameterTypeInvalid},
		{"PAR-3, a list", "{{a}}", `{"a":["x"]}`, nil, orderly.ParameterTypeInvalid},
		{"PAR-3, an object", "{{a}}", `{"a":{}}`, nil, orderly.ParameterTypeInvalid},
		{"PAR-3, blanks around", "{{a}}", " \n{ \"a\" : \"x\" } ", map[string]string{"a": "x"}, nil},
		{"PAR-3, a list is no object", "{{a}}", `["a"]`, nil, orderly.ParametersMalformed},
		{"PAR-3, null is no object", "{{a}}", `null`, nil, orderly.ParametersMalformed},
		{"PAR-3, a string is no object", "{{a}}", `"a"`, nil, orderly.ParametersMalformed},
		{"PAR-3, unclosed", "{{a}}", `{"a":"x"`, nil, orderly.ParametersMalformed},
		{"PAR-3, a comma too many", "{{a}}", `{"a":"x",}`, nil, orderly.ParametersMalformed},
		{"PAR-3, only a comma", "{{a}}", `{,}`, nil, orderly.ParametersMalformed},
		{"PAR-3, no value", "{{a}}", `{"a"}`, nil, orderly.ParametersMalformed},
		{"PAR-3, a number as key", "{{a}}", `{1:"x"}`, nil, orderly.ParametersMalformed},
		{"PAR-3, a brace after it", "{{a}}", `{"a":"x"}}`, nil, orderly.ParametersMalformed},
		{"PAR-3, a bracket after it", "{{a}}", `{"a":"x"}]`, nil, orderly.ParametersMalformed},
		{"PAR-3, another after it", "{{a}}", `{"a":"x"}{}`, nil, orderly.ParametersMalformed},
		{"PAR-3, 10 entries", names(11), object(10), nil, nil},
		{"PAR-3, 11 entries", names(11), object(11), nil, orderly.ParametersTooMany},
		{"PAR-3, key of 64", "{{" + key64 + "}}", `{"` + key64 + `":"x"}`, map[string]string{key64: "x"}, nil},
		{"PAR-3, key of 65", "{{a}}", `{"` + key64 + `k":"x"}`, nil, orderly.ParameterKeyTooLong},
		{"PAR-3, empty key", "{{a}}", `{"":"x"}`, nil, orderly.ParameterKeyEmpty},
		{"PAR-3, same key", "{{a}}", `{"a":"x","a":"x"}`, nil, orderly.ParameterKeyDuplicate},
		{"PAR-3, same key but for case", "{{a}}", `{"a":"x","A":"y"}`, nil, orderly.ParameterKeyDuplicate},
		{"PAR-3, not in the content", "{{a}}", `{"b":"x"}`, nil, orderly.ParameterUnknown},
		{"PAR-3, a built-in one", "{{ACS::InstanceId}}", `{"ACS::InstanceId":"x"}`, nil, orderly.ParameterUnknown},
		{"PAR-2, case-insensitive", "{{Name}}", `{"nAME":"x"}`, map[string]string{"nAME": "x"}, nil},
		{"PAR-2, a long s is no s", "{{s}}", `{"ſ":"x"}`, nil, orderly.ParameterUnknown},
		{"PAR-3, a NUL", "{{a}}", `{"a":"\u0000"}`, nil, orderly.ParameterIllegal},
		{"PAR-3, no UTF-8", "{{a}}", "{\"a\":\"\xff\"}", nil, orderly.ParameterIllegal},
		{"PAR-3, half a character", "{{a}}", `{"a":"\ud800"}`, nil, orderly.ParameterIllegal},
		{"PAR-3, a NUL in the key", "{{a}}", `{"a\u0000":"x"}`, nil, orderly.ParameterIllegal},
		{"PAR-3, no UTF-8 in the key", "{{a}}", "{\"a\xff\":\"x\"}", nil, orderly.ParameterIllegal},
		{"PAR-3, no JSON at all comes first", "{{a}}", `{"a":[1}`, nil, orderly.ParametersMalformed},
		{"PAR-3, no JSON at all comes first", "{{a}}", object(11) + "}", nil, orderly.ParametersMalformed},
		{"PAR-3, lines and tabs", "{{a}}", `{"a":"x\n\ty"}`, map[string]string{"a": "x\n\ty"}, nil},
		{"PAR-3, key of 64 characters", "{{a}}", `{"` + chars(64) + `":"x"}`, nil, orderly.ParameterUnknown},
		{"PAR-3, key of 65 characters", "{{a}}", `{"` + chars(65) + `":"x"}`, nil, orderly.ParameterKeyTooLong},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			c := orderly.Command{Content: []byte(tt.content), EnableParameter: true}
			got, err := give(&c, tt.text)
			if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Errorf("values %q, %v, want %v", got, err, tt.err)
			}
			if tt.want != nil && !cmp.Equal(got, tt.want) {
				t.Errorf("values %q, want %q", got, tt.want)
			}
		})
	}
}

// PAR-3: how many there may be is for the dialect to say.
func TestParametersAreLimitedByTheDialect(t *testing.T) {
	for limit, want := range map[int]error{20: nil, 19: orderly.ParametersTooMany} {
		if _, err := orderly.DecodeParameters(object(20), limit); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("20 parameters where %d are allowed: %v, want %v", limit, err, want)
		}
	}
	if got := orderly.ECSLimits.Parameters; got != 10 {
		t.Errorf("ECS allows %d, want 10", got)
	}
}

func TestParametersOfACommandThatTakesNone(t *testing.T) { // PAR-5, PAR-6
	c := orderly.Command{Content: []byte("echo {{a}}")}
	if _, err := give(&c, `{"a":"x"}`); !errors.Is(err, orderly.ParametersDisabled) {
		t.Errorf("with parameters: %v, want %v", err, orderly.ParametersDisabled)
	}
	for _, none := range []string{"", "{}"} {
		if got, err := give(&c, none); err != nil || len(got) != 0 {
			t.Errorf("values of %q: %q, %v, want none", none, got, err)
		}
	}
	literal := orderly.Command{Type: orderly.RunShellScript, Content: []byte("docker ps --format '{{.Names}}' {{}}")}
	if err := literal.Check(orderly.ECSLimits); err != nil {
		t.Errorf("braces without EnableParameter: %v, want none", err)
	}
}

func TestRender(t *testing.T) {
	b := orderly.Builtins{
		RegionID: "cn-hangzhou", AccountID: "1234567890123456", InstanceID: "mi-1",
		InstanceName: "web-01", InvokeID: "t-1", CommandID: "c-1",
	}
	tests := []struct {
		rule, content string
		params        map[string]string
		want          string
	}{
		{"PAR-1", "echo {{a}}-{{ b\n}}", map[string]string{"a": "1", "b": "2"}, "echo 1-2"},
		{"PAR-2, case-insensitive", "{{Name}} {{NAME}}", map[string]string{"nAmE": "x"}, "x x"},
		{"PAR-4, not passed", "[{{a}}]", nil, "[]"},
		{"PAR-1, a value is not looked at again", "{{a}}{{b}}", map[string]string{"a": "{{b}}", "b": "$1"}, "{{b}}$1"},
		{"PAR-1, inside other braces", "{{{a}}}", map[string]string{"a": "x"}, "{x}"},
		{"ENV-1", "{{ACS::RegionId}} {{ACS::AccountId}} {{ACS::InstanceId}} {{ACS::InstanceName}} {{ACS::InvokeId}} {{ACS::CommandId}}",
			nil, "cn-hangzhou 1234567890123456 mi-1 web-01 t-1 c-1"},
		{"ENV-5", "{{ ACS :: InstanceId }}", nil, "mi-1"},
		{"no placeholder", "echo {x} {", nil, "echo {x} {"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			if got := string(orderly.Render([]byte(tt.content), tt.params, b)); got != tt.want {
				t.Errorf("Render = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRenderedSize(t *testing.T) { // SZ-2
	// 3 bytes are 4 in Base64: 18 432 bytes are just the 24 KB of SZ-1.
	const most = 18 << 10
	builtin := "{{ACS::InstanceId}}"
	tests := []struct {
		name    string
		content string
		enable  bool
		value   string
		err     error
	}{
		{"just fits", "{{a}}", true, strings.Repeat("x", most), nil},
		{"one byte more", "{{a}}", true, strings.Repeat("x", most+1), orderly.ContentTooLong},
		{"placeholders do not count", strings.Repeat("x", most-1) + "{{a}}", true, "v", nil},
		{"built-in ones count as written", builtin + "{{a}}", true, strings.Repeat("x", most-len(builtin)), nil},
		{"built-in ones count as written, one more", builtin + "{{a}}", true, strings.Repeat("x", most-len(builtin)+1), orderly.ContentTooLong},
		{"without parameters", strings.Repeat("x", most), false, "", nil},
		{"without parameters, braces count", strings.Repeat("x", most-4) + "{{a}}", false, "", orderly.ContentTooLong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := orderly.Command{Content: []byte(tt.content), EnableParameter: tt.enable}
			if err := c.CheckRendered(map[string]string{"a": tt.value}, orderly.ECSLimits); !errors.Is(err, tt.err) {
				t.Errorf("CheckRendered = %v, want %v", err, tt.err)
			}
		})
	}
}

func FuzzParameters(f *testing.F) {
	f.Add([]byte("echo {{a}} {{ ACS :: InvokeId }}"), `{"a":"x"}`)
	f.Add([]byte("{{{a}}{b}} {{b}}"), `{"a":1,"B":true}`)
	f.Add([]byte("{{\xff}} {{}}"), `{"a":"x"}}`)
	f.Add([]byte("{{S}}"), "{\"\u017f\":\"\\ud800\"}")
	builtins := orderly.Builtins{RegionID: "R", AccountID: "A", InstanceID: "I", InstanceName: "N", InvokeID: "V", CommandID: "C"}
	f.Fuzz(func(t *testing.T, content []byte, text string) {
		c := orderly.Command{Content: content, EnableParameter: true}
		params, err := give(&c, text)
		again, err2 := give(&c, text)
		if !cmp.Equal(params, again) || fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Fatalf("parsed as %q, %v and then %q, %v", params, err, again, err2)
		}
		checkValues(t, text, params)
		orderly.Render(content, params, builtins)
		found, err := orderly.ParameterNames(content)
		if err != nil {
			return
		}
		checkRendering(t, content, found, builtins)
	})
}

// checkValues compares values with what the text says to any other reader of JSON (PAR-3).
func checkValues(t *testing.T, text string, params map[string]string) {
	t.Helper()
	if len(params) == 0 {
		return
	}
	var want map[string]any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&want); err != nil || len(want) != len(params) || len(params) > orderly.ECSLimits.Parameters {
		t.Fatalf("%q was read as %q, and is %v, %v", text, params, want, err)
	}
	for k, v := range want {
		if got, ok := params[k]; !ok || got != fmt.Sprint(v) {
			t.Fatalf("%q has the value %q under %q, want %v", text, got, k, v)
		}
	}
}

// checkRendering gives each name a value without braces: no placeholder of a known name can be left.
// Rendering each name as itself changes no name.
func checkRendering(t *testing.T, content []byte, found []string, b orderly.Builtins) {
	t.Helper()
	values, selves := map[string]string{}, map[string]string{}
	for _, n := range found {
		values[n], selves[n] = "v", "{{"+n+"}}"
	}
	text := orderly.Render(content, values, b)
	for _, n := range append(found, `ACS\s*::\s*\w+`) {
		if left := regexp.MustCompile(`(?i)\{\{\s*` + n + `\s*\}\}`).Find(text); left != nil {
			t.Fatalf("%q is left in %q", left, text)
		}
	}
	if again, err := orderly.ParameterNames(orderly.Render(content, selves, b)); err != nil || !cmp.Equal(again, found) {
		t.Fatalf("names %q, after rendering them as themselves %q, %v", found, again, err)
	}
}
