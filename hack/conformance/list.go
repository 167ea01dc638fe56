package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// lists is the folder of the lists.
const lists = "conformance"

// An item is one thing to pin: its name, and the message that is published with it, if any.
type item struct{ name, message string }

func (i item) String() string {
	if i.message == "" {
		return i.name
	}
	return i.name + "\t" + i.message
}

// sources are the folders where the published description stands when it is there: beside the
// repository. Users do not have it; the lists made from it are committed.
const sources = "../shared"

// tables are the lists of items, and how each is made from the description.
var tables = []struct {
	file    string
	extract func() ([]item, error)
}{
	{"ecs.txt", func() ([]item, error) { return extractAPI("ecs", "ECS") }},
	{"swas.txt", func() ([]item, error) { return extractAPI("swas", "") }}, // no text lists its errors
	{"rules.txt", extractRules},
}

// readItems reads all items. When the description is there, the lists must be what it says now;
// update writes them so.
func readItems(update bool) (all []item, err error) {
	for _, t := range tables {
		path := filepath.Join(lists, t.file)
		if _, err := os.Stat(sources); err == nil {
			if err := regenerate(path, t.extract, update); err != nil {
				return nil, err
			}
		}
		read, err := readLines(path)
		if err != nil {
			return nil, err
		}
		for _, line := range read {
			name, message, _ := strings.Cut(line, "\t")
			all = append(all, item{name, message})
		}
	}
	return all, nil
}

func regenerate(path string, extract func() ([]item, error), update bool) error {
	items, err := extract()
	if err != nil {
		return err
	}
	text := "# Generated from the published description by go run ./hack/conformance -update. DO NOT EDIT.\n"
	for _, i := range items {
		text += i.String() + "\n"
	}
	if update {
		return os.WriteFile(path, []byte(text), 0o644)
	}
	if old, err := os.ReadFile(path); err != nil || string(old) != text {
		return errors.Join(err, fmt.Errorf("%s is not what the description says; run go run ./hack/conformance -update", path))
	}
	return nil
}

// readLines reads a list without comments and empty lines.
func readLines(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool {
		return line == "" || strings.HasPrefix(line, "#")
	}), nil
}

// A reason is why the items of a pattern need no test. In a pattern, * stands for any text.
type reason struct {
	pattern, text string
	used          bool
}

// readReasons reads a list of lines "pattern: reason".
func readReasons(file string) (list []*reason, err error) {
	read, err := readLines(filepath.Join(lists, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, line := range read {
		pattern, text, ok := strings.Cut(line, ": ")
		if !ok {
			return nil, fmt.Errorf("%s: %q gives no reason", file, line)
		}
		list = append(list, &reason{pattern: pattern, text: text})
	}
	return list, err
}

// find returns the first reason for an item, or nil.
func find(list []*reason, name string) *reason {
	for _, r := range list {
		if matches(r.pattern, name) {
			r.used = true
			return r
		}
	}
	return nil
}

func matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(name, parts[0])
	for i, part := range parts[1:] {
		if !ok {
			return false
		}
		if i == len(parts)-2 {
			return strings.HasSuffix(rest, part)
		}
		_, rest, ok = strings.Cut(rest, part)
	}
	return ok && rest == ""
}
