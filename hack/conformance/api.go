package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// An api is a dialect as its description has it, as far as it is of interest here.
type api struct {
	Operations map[string]struct {
		Request  []parameter
		Response map[string]value
	}
}

type parameter struct {
	Name, ItemType, Repeat, Note string
	Required                     bool
	Enum                         []string
}

// A value is a field's type: an object has fields, an array an item.
type value struct {
	Type   string
	Fields map[string]value
	Item   *value
	Enum   []string
}

// ignored are the notes of parameters that are taken and have no effect.
var ignored = []string{"legacy common field; accept and ignore", "no effect; kept for old clients", "has no effect"}

// extractAPI lists what a dialect publishes. Heading is that of its errors, "" for none.
func extractAPI(dialect, heading string) ([]item, error) {
	text, err := os.ReadFile(filepath.Join(sources, "api", dialect+".json"))
	if err != nil {
		return nil, err
	}
	var a api
	if err := json.Unmarshal(text, &a); err != nil {
		return nil, err
	}
	errors := map[string][]item{}
	if heading != "" {
		if errors, err = readErrors(heading); err != nil {
			return nil, err
		}
	}
	var items []item
	for _, operation := range slices.Sorted(maps.Keys(a.Operations)) {
		of := func(kind string, names ...string) {
			for _, name := range names {
				items = append(items, item{name: strings.Join([]string{dialect, operation, kind, name}, " ")})
			}
		}
		for _, p := range a.Operations[operation].Request {
			kind, names := p.items()
			of(kind, names...)
		}
		of("response", responseItems(a.Operations[operation].Response, "")...)
		list := errors[operation]
		for _, p := range a.Operations[operation].Request {
			list = append(list, p.missing(list)...)
		}
		for _, e := range list {
			items = append(items, item{strings.Join([]string{dialect, operation, "error", e.name}, " "), e.message})
		}
	}
	return items, nil
}

// items are the parameter and the values it may have. A list of structs is the parameters of its
// structs, which stand beside it.
func (p parameter) items() (kind string, names []string) {
	switch {
	case slices.Contains(ignored, p.Note):
		return "ignored", []string{p.Name}
	case p.Repeat != "" && p.ItemType == "object":
		return "request", nil
	case p.Repeat != "":
		p.Name = p.Repeat
	}
	names = []string{p.Name}
	for _, v := range p.Enum {
		names = append(names, p.Name+"="+v)
	}
	return "request", names
}

// missing is the code for a required parameter that is not there, unless list has one of its own.
func (p parameter) missing(list []item) []item {
	own := func(e item) bool {
		_, code, _ := strings.Cut(e.name, " ")
		return code == "MissingParameter."+p.Name || code == "MissingParam."+p.Name
	}
	if !p.Required || p.Repeat != "" || strings.Contains(p.Name, ".") || slices.ContainsFunc(list, own) {
		return nil
	}
	return []item{{name: "400 MissingParameter." + p.Name}}
}

// responseItems are the fields that hold something themselves, by the names on the way to them, and
// the values they may have.
func responseItems(fields map[string]value, at string) (names []string) {
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		v := fields[key]
		if v.Item != nil {
			v = *v.Item
		}
		if v.Fields != nil {
			names = append(names, responseItems(v.Fields, at+key+".")...)
			continue
		}
		names = append(names, at+key)
		for _, e := range v.Enum {
			if e != "" {
				names = append(names, at+key+"="+e)
			}
		}
	}
	return names
}

var (
	errorRow = regexp.MustCompile(`^\| (\d{3}) \| (\S+) \| (.*) \|$`)
	setRow   = regexp.MustCompile(`^\| ([A-Z]+) \| (.*) \|$`)
	status   = regexp.MustCompile(`^\d{3} `)
)

// readErrors reads the codes of each operation below a heading of errors.md, with the messages that
// are published.
func readErrors(heading string) (map[string][]item, error) {
	read, err := os.ReadFile(filepath.Join(sources, "api", "errors.md"))
	if err != nil {
		return nil, err
	}
	sets, messages, found := map[string][]string{}, map[string]string{}, map[string][]item{}
	var chapter string
	var operations []string
	add := func(code string) {
		for _, o := range operations {
			if !slices.ContainsFunc(found[o], func(i item) bool { return i.name == code }) {
				found[o] = append(found[o], item{code, messages[code]})
			}
		}
	}
	for line := range strings.SplitSeq(string(read), "\n") {
		row, set := errorRow.FindStringSubmatch(line), setRow.FindStringSubmatch(line)
		switch {
		case strings.HasPrefix(line, "## "):
			chapter, operations = strings.TrimPrefix(line, "## "), nil
		case strings.HasPrefix(line, "### ") && strings.HasPrefix(chapter, heading):
			names, _, _ := strings.Cut(strings.TrimPrefix(line, "### "), "  (")
			operations = strings.Split(names, ", ")
		case chapter == "Shorthand" && set != nil:
			sets[set[1]] = codesOf(set[2])
		case strings.HasPrefix(chapter, "Messages") && row != nil:
			messages[row[1]+" "+row[2]] = row[3]
		case row != nil:
			add(row[1] + " " + row[2])
		default:
			for _, name := range slices.Sorted(maps.Keys(sets)) {
				if regexp.MustCompile(`\b` + name + `\b`).MatchString(line) {
					for _, code := range sets[name] {
						add(code)
					}
				}
			}
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("errors.md has no operations below %q", heading)
	}
	return found, nil
}

// codesOf reads "400 A, B, 404 C": a status holds until the next one.
func codesOf(text string) (codes []string) {
	var last string
	for code := range strings.SplitSeq(text, ", ") {
		if s := status.FindString(code); s != "" {
			last = s
		}
		codes = append(codes, last+strings.TrimPrefix(code, last))
	}
	return codes
}
