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

// A testFile is what one file says of rules.
type testFile struct {
	comments []*ast.CommentGroup
	tables   map[string]ast.Node // the file's variables
	pins     map[string]string
}

// ruleTests finds the tests below root that name rules: in their comment, in a comment or a text
// within, or in a table of their file that they read.
func ruleTests(root string) (map[string]string, error) {
	pins := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && d.Name() == "hack" {
			return fs.SkipDir // tests of this program name rules to have some
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		f := testFile{comments: file.Comments, tables: tablesOf(file), pins: pins}
		for _, decl := range file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && isTest(fn) {
				f.read(fn, filepath.ToSlash(filepath.Dir(path))+" "+fn.Name.Name)
			}
		}
		return nil
	})
	return pins, err
}

func isTest(fn *ast.FuncDecl) bool {
	return fn.Recv == nil && (strings.HasPrefix(fn.Name.Name, "Test") || strings.HasPrefix(fn.Name.Name, "Fuzz"))
}

func tablesOf(file *ast.File) map[string]ast.Node {
	tables := map[string]ast.Node{}
	for _, decl := range file.Decls {
		g, ok := decl.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, spec := range g.Specs {
			for _, name := range spec.(*ast.ValueSpec).Names {
				tables[name.Name] = spec
			}
		}
	}
	return tables
}

// read notes the rules that a test names.
func (f *testFile) read(fn *ast.FuncDecl, test string) {
	f.note(fn.Doc.Text(), test)
	for _, c := range f.comments {
		if fn.Pos() <= c.Pos() && c.End() <= fn.End() {
			f.note(c.Text(), test)
		}
	}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			f.note(n.Value, test)
		case *ast.Ident:
			if table, ok := f.tables[n.Name]; ok {
				ast.Inspect(table, func(n ast.Node) bool {
					if lit, ok := n.(*ast.BasicLit); ok {
						f.note(lit.Value, test)
					}
					return true
				})
			}
		}
		return true
	})
}

// note takes up the rules in a text, for the first test that names them.
func (f *testFile) note(text, test string) {
	for _, m := range named.FindAllStringSubmatch(strings.Join(strings.Fields(text), " "), -1) {
		for _, rule := range span(m[1], m[3], m[4]) {
			if f.pins["rule "+rule] == "" {
				f.pins["rule "+rule] = test
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
