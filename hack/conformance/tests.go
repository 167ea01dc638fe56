package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// named finds rules in what a test says: PG-3, T5 or 5.3 row 2, and "STOP-4 to STOP-6".
var named = regexp.MustCompile(`\b([A-Z]+-\d+|T\d+|5\.[35] row \d+)( to ([A-Z]+-|T|row )(\d+))?\b`)

var transition = regexp.MustCompile(`^T\d+$`)

// A suite is the tests of one folder, and what they say of rules.
type suite struct {
	dir    string
	files  []*ast.File
	tables map[string]ast.Node // variables and functions that tests may read
	pins   map[string]string
}

// ruleTests finds the tests below root that name rules: in their comment, in a comment or a text
// within, or in a table of their package that they read.
func ruleTests(root string) (map[string]string, error) {
	pins := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || !d.IsDir():
			return err
		case d.Name() == "hack": // tests of this program name rules to have some
			return fs.SkipDir
		}
		s, err := readSuite(path, pins)
		if err == nil {
			s.note()
		}
		return err
	})
	return pins, err
}

func readSuite(dir string, pins map[string]string) (*suite, error) {
	s := &suite{tables: map[string]ast.Node{}, pins: pins}
	paths, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		s.files = append(s.files, file)
		s.addTables(file)
	}
	s.dir = filepath.ToSlash(dir)
	return s, nil
}

func isTest(fn *ast.FuncDecl) bool {
	return fn.Recv == nil && (strings.HasPrefix(fn.Name.Name, "Test") || strings.HasPrefix(fn.Name.Name, "Fuzz"))
}

func (s *suite) addTables(file *ast.File) {
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if decl.Recv == nil && !isTest(decl) {
				s.tables[decl.Name.Name] = decl
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok && decl.Tok == token.VAR {
					for _, name := range v.Names {
						s.tables[name.Name] = spec
					}
				}
			}
		}
	}
}

// note takes up the rules that tests name.
func (s *suite) note() {
	for _, file := range s.files {
		for _, decl := range file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && isTest(fn) {
				s.noteTest(file, fn)
			}
		}
	}
}

func (s *suite) noteTest(file *ast.File, fn *ast.FuncDecl) {
	test := s.dir + " " + fn.Name.Name
	s.noteText(fn.Doc.Text(), test)
	for _, c := range file.Comments {
		if fn.Pos() <= c.Pos() && c.End() <= fn.End() {
			s.noteText(c.Text(), test)
		}
	}
	s.noteNode(fn.Body, test, map[string]bool{})
}

// noteNode takes up the texts in n and in the tables that it reads, but for those that were seen.
func (s *suite) noteNode(n ast.Node, test string, seen map[string]bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			s.noteText(n.Value, test)
		case *ast.Ident:
			if table, ok := s.tables[n.Name]; ok && !seen[n.Name] {
				seen[n.Name] = true
				s.noteNode(table, test, seen)
			}
		}
		return true
	})
}

// noteText takes up the rules in a text, for the first test that names them.
func (s *suite) noteText(text, test string) {
	for _, m := range named.FindAllStringSubmatch(strings.Join(strings.Fields(text), " "), -1) {
		for _, rule := range span(m[1], m[3], m[4]) {
			if s.dir == "." && transition.MatchString(rule) {
				continue // the table of states is only words until something goes that way
			}
			if s.pins["rule "+rule] == "" {
				s.pins["rule "+rule] = test
			}
		}
	}
}

// span is the rules from first to the one with the number last, if they are of one kind.
func span(first, kind, last string) []string {
	at := strings.LastIndexAny(first, "-T ") + 1
	from, _ := strconv.Atoi(first[at:])
	to, err := strconv.Atoi(last)
	if err != nil || !strings.HasSuffix(first[:at], kind) || to < from || to > from+50 {
		return []string{first}
	}
	var rules []string
	for n := from; n <= to; n++ {
		rules = append(rules, fmt.Sprint(first[:at], n))
	}
	return rules
}
