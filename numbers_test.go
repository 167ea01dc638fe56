package orderly_test

import (
	"fmt"
	"go/ast"
	"os"
	"slices"
	"strings"
	"testing"
)

// The numbers we hold. One that is in the way of a better program may change, in a commit that
// says why.
const (
	maxDepth          = 6   // imports of our own from a program down to the root
	maxInterfaces     = 8   // declared in what we ship
	maxMethodsMedian  = 2   // of an interface
	maxFileLines      = 450 // 9 files in 10
	maxFunctionLines  = 45  // 9 functions in 10
	maxFunctionMedian = 12
	maxParameters     = 5
	maxShared         = 15 // lines that stand in both dialects
)

func TestImportDepth(t *testing.T) {
	imports := make(map[string][]string)
	for _, s := range programs(t) {
		imports[s.pkg()] = append(imports[s.pkg()], s.ours()...)
	}
	for from := range imports {
		if chain := longest(imports, from); len(chain) > maxDepth+1 {
			t.Errorf("%d imports in a row, want at most %d: %v", len(chain)-1, maxDepth, chain)
		}
	}
}

// longest is the longest way through imports that starts at from. Go allows no cycles.
func longest(imports map[string][]string, from string) []string {
	var below []string
	for _, to := range imports[from] {
		if chain := longest(imports, to); len(chain) > len(below) {
			below = chain
		}
	}
	return append([]string{from}, below...)
}

func TestInterfacesAreFewAndSmall(t *testing.T) {
	var names []string
	var methods []int
	for _, s := range programs(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if i, ok := spec.Type.(*ast.InterfaceType); ok && !isConstraint(i) {
				names = append(names, s.pkg()+"."+spec.Name.Name)
				methods = append(methods, i.Methods.NumFields())
			}
			return true
		})
	}
	if len(names) > maxInterfaces {
		t.Errorf("%d interfaces, want at most %d: %v", len(names), maxInterfaces, names)
	}
	if m := quantile(methods, 0.5); m > maxMethodsMedian {
		t.Errorf("median of %d methods, want at most %d: %v", m, maxMethodsMedian, names)
	}
}

// isConstraint reports whether i restricts type parameters (it names a union of types), which
// hides no behaviour.
func isConstraint(i *ast.InterfaceType) bool {
	return slices.ContainsFunc(i.Methods.List, func(f *ast.Field) bool {
		switch f.Type.(type) {
		case *ast.BinaryExpr, *ast.UnaryExpr:
			return true
		}
		return false
	})
}

func TestFilesAreShort(t *testing.T) {
	var lines []int
	for _, s := range sources(t) {
		lines = append(lines, s.lines)
	}
	if got := quantile(lines, 0.9); got > maxFileLines {
		t.Errorf("9 files in 10 have up to %d lines, want %d", got, maxFileLines)
	}
}

func TestFunctionsAreShort(t *testing.T) {
	var lines []int
	var long []string
	for _, s := range programs(t) {
		for _, decl := range s.file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines = append(lines, s.span(f))
			if s.span(f) > maxFunctionLines {
				long = append(long, fmt.Sprintf("%s %s (%d)", s.path, f.Name.Name, s.span(f)))
			}
		}
	}
	if got := quantile(lines, 0.9); got > maxFunctionLines {
		t.Errorf("9 functions in 10 have up to %d lines, want %d: %v", got, maxFunctionLines, long)
	}
	if got := quantile(lines, 0.5); got > maxFunctionMedian {
		t.Errorf("the median function has %d lines, want %d", got, maxFunctionMedian)
	}
}

func TestFunctionsTakeFewParameters(t *testing.T) {
	for _, s := range programs(t) {
		for _, decl := range s.file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Type.Params.NumFields() > maxParameters {
				t.Errorf("%s: %s has %d parameters, want at most %d", s.path, f.Name.Name, f.Type.Params.NumFields(), maxParameters)
			}
		}
	}
}

// What both dialects need stands where both find it.
func TestDialectsShareNoBlocks(t *testing.T) {
	blocks := map[string]string{} // and the file it stands in
	for _, s := range programs(t) {
		dialect, _, _ := strings.Cut(strings.TrimPrefix(s.path, "internal/"), "/")
		if dialect != "ecs" && dialect != "swas" {
			continue
		}
		text, err := os.ReadFile(s.path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		for i := range len(lines) - maxShared {
			block := strings.Join(lines[i:i+maxShared+1], "\n")
			if other := blocks[block]; other != "" && !strings.HasPrefix(other, "internal/"+dialect) {
				t.Errorf("%s:%d and %s share more than %d lines", s.path, i+1, other, maxShared)
			}
			blocks[block] = s.path
		}
	}
}

// quantile returns the value that the share q of values does not exceed; 0 of none.
func quantile(values []int, q float64) int {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1))]
}

func TestNothingRunsBeforeMain(t *testing.T) {
	for _, s := range sources(t) {
		for _, decl := range s.file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init function", s.path)
			}
		}
	}
}

// Tests wait for events. In a synctest bubble a sleep costs no time and is allowed.
func TestNoTestSleeps(t *testing.T) {
	for _, s := range sources(t) {
		if !s.isTest() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if ok && calls(call, "time", "Sleep") {
				t.Errorf("%s sleeps", s.fset.Position(call.Pos()))
			}
			return !ok || !calls(call, "synctest", "Test")
		})
	}
}

// calls reports whether call is pkg.name(…).
func calls(call *ast.CallExpr, pkg, name string) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == pkg
}
