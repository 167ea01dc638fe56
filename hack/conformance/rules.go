package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	ruleLine      = regexp.MustCompile(`^- \*\*([A-Z]+-\d+)\*\* `)
	transitionRow = regexp.MustCompile(`^\| (T\d+) \|`)
	faultRow      = regexp.MustCompile(`^\| ([A-Z][A-Za-z]+) \| ([^|]+) \|(?: (the [^|]+) \|)?`) // the older sentence begins so
	chapterLine   = regexp.MustCompile(`^##+ ([\d.]+)\.? `)
)

// extractRules lists the rules of behaviour: those with a name, the transitions of a task's state,
// the rows of both tables of aggregates, and the faults of a task with what is said of them.
func extractRules() ([]item, error) {
	text, err := os.ReadFile(filepath.Join(sources, "semantics.md"))
	if err != nil {
		return nil, err
	}
	var rules, faults []item
	var chapter string
	row := 0
	for line := range strings.SplitSeq(string(text), "\n") {
		if m := chapterLine.FindStringSubmatch(line); m != nil {
			chapter, row = strings.TrimSuffix(m[1], "."), 0
		}
		if m := ruleLine.FindStringSubmatch(line); m != nil {
			rules = append(rules, item{name: "rule " + m[1]})
		}
		m, fault := transitionRow.FindStringSubmatch(line), faultRow.FindStringSubmatch(line)
		switch {
		case chapter == "4.2" && m != nil:
			rules = append(rules, item{name: "rule " + m[1]})
		case (chapter == "5.3" || chapter == "5.5") && strings.HasPrefix(line, "| "):
			if row > 0 { // the first is the head
				rules = append(rules, item{name: fmt.Sprintf("rule %s row %d", chapter, row)})
			}
			row++
		case chapter == "10.1" && fault != nil && fault[1] != "ErrorCode":
			faults = append(faults, item{"ecs fault " + fault[1], sentence(fault[2])})
			if fault[3] != "" {
				faults = append(faults, item{"swas fault " + fault[1], fault[3]})
			}
		}
	}
	return append(rules, faults...), nil
}

// sentence is what is said of a fault. One with blanks to fill has no text of its own.
func sentence(text string) string {
	if text = strings.TrimSpace(text); strings.Contains(text, "{") {
		return ""
	}
	return text
}
