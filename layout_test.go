package orderly_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const modulePath = "github.com/orderly-run/orderly"

// root is the name of the root package in this file.
const root = "orderly"

// arrows says which of our own packages each package may import, beside the root, which
// everyone may. The paths are relative to the module, those under internal/ without that word.
// A package that is not in this table has no place yet: decide its arrows before its code.
var arrows = map[string][]string{
	// programs
	"cmd/orderly":          {"server", "cli", "agent", "sim"},
	"cmd/orderly-agent":    {"agent"},
	"hack/bench":           {"server", "client"},
	"hack/load":            {"store"},
	"hack/bench-console":   {"client"},
	"hack/bench-describes": {"store", "engine", "fleet", "ecs", "rpc", "client"},
	"hack/bench/client":    {},
	"hack/conformance":     {"evidence"},
	"hack/wine":            {},

	// put together
	"server": {"auth", "schedule", "store", "engine", "fleet", "rpc", "ecs", "swas", "console", "events", "client",
		"wire", "gateway", "assist"},
	"sim": {"wire", "schedule"},

	// what callers see
	"cli":     {"client", "auth", "schedule"}, // schedule tells when a schedule runs next, which no operation does
	"client":  {"auth"},
	"ecs":     {"rpc", "auth", "engine", "fleet", "store", "schedule"},
	"swas":    {"rpc", "auth", "engine", "fleet", "store", "schedule"},
	"console": {"engine", "fleet", "store", "schedule"},
	"rpc":     {"auth"},
	"events":  {"store"},

	// what machines see
	"gateway": {"wire", "engine", "fleet", "store", "schedule"},
	"assist":  {"engine", "fleet", "store", "schedule"},
	"wire":    {},

	// state
	"fleet":  {"engine", "store", "schedule"},
	"engine": {"store", "schedule"},
	"store":  {},

	// on the machine
	"agent":  {"wire", "proc", "docker", "schedule"},
	"proc":   {},
	"docker": {},

	// rules, pure
	"auth":     {},
	"schedule": {},

	// for tests only: see TestOnlyTestsImportTestSupport
	"pgtest":     {},
	"dockertest": {},
	"evidence":   {},
}

// testSupport is what no program may contain.
var testSupport = []string{"pgtest", "dockertest", "evidence"}

// barred names what must not be linked into the agent, which is small and static.
var barred = []string{
	"database/sql", "html/template", "net/http/pprof",
	"modernc.org/", "github.com/jackc/pgx", "github.com/nats-io/nats-server", "github.com/prometheus/",
}

// vague names folders that say nothing about their contents, or hold what we do not write.
var vague = []string{
	"pkg", "util", "utils", "common", "types", "models", "helpers", "mock", "mocks", "errors", "config", "logger", "base",
}

// A source is one parsed Go file of the repository.
type source struct {
	path  string // relative to the repository, with slashes
	lines int
	file  *ast.File
	fset  *token.FileSet
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

func (s source) inE2E() bool { return strings.HasPrefix(s.path, "e2e/") }

// pkg is the name that arrows has for the package of s.
func (s source) pkg() string {
	dir := path.Dir(s.path)
	if dir == "." {
		return root
	}
	return strings.TrimPrefix(dir, "internal/")
}

// ours lists the packages of this module that s imports, named as in arrows.
func (s source) ours() []string {
	var names []string
	for _, spec := range s.file.Imports {
		p := strings.Trim(spec.Path.Value, `"`)
		if p == modulePath {
			names = append(names, root)
		}
		if rest, ok := strings.CutPrefix(p, modulePath+"/"); ok {
			names = append(names, strings.TrimPrefix(rest, "internal/"))
		}
	}
	return names
}

// span is the number of lines that n takes.
func (s source) span(n ast.Node) int {
	return s.fset.Position(n.End()).Line - s.fset.Position(n.Pos()).Line + 1
}

// sources parses every Go file of the repository, whatever system it is for: go list would show
// the imports of this system's files only.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(p) != ".go" {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(fset, p, text, parser.SkipObjectResolution)
		all = append(all, source{path: filepath.ToSlash(p), lines: bytes.Count(text, []byte("\n")), file: file, fset: fset})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// programs is sources without tests and without the e2e module: what we ship.
func programs(t *testing.T) []source {
	t.Helper()
	return slices.DeleteFunc(sources(t), func(s source) bool { return s.isTest() || s.inE2E() })
}

func TestImportsFollowTheArrows(t *testing.T) {
	for _, s := range programs(t) {
		from := s.pkg()
		if from == root {
			continue // TestRootImportsStandardLibraryOnly
		}
		allowed, known := arrows[from]
		if !known {
			t.Errorf("%s: package %s is not in the table of arrows", s.path, from)
			continue
		}
		for _, to := range s.ours() {
			if to != root && !slices.Contains(allowed, to) {
				t.Errorf("%s: %s may not import %s", s.path, from, to)
			}
		}
	}
}

func TestRootImportsStandardLibraryOnly(t *testing.T) {
	for _, s := range programs(t) {
		if s.pkg() != root {
			continue
		}
		for _, spec := range s.file.Imports {
			if first, _, _ := strings.Cut(strings.Trim(spec.Path.Value, `"`), "/"); strings.Contains(first, ".") {
				t.Errorf("%s imports %s", s.path, spec.Path.Value)
			}
		}
	}
}

func TestOnlyTestsImportTestSupport(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() || s.inE2E() || strings.HasPrefix(s.path, "hack/") || slices.Contains(testSupport, s.pkg()) {
			continue // hack/conformance runs tests
		}
		for _, to := range s.ours() {
			if slices.Contains(testSupport, to) {
				t.Errorf("%s imports %s, which is for tests", s.path, to)
			}
		}
	}
}

// The agent's size and what an attacker of it finds are decided by its imports, on each system.
func TestAgentStaysSmall(t *testing.T) {
	for _, dir := range []string{"cmd/orderly-agent", "internal/agent", "internal/wire", "internal/proc", "internal/docker"} {
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		for _, goos := range []string{"linux", "windows", "darwin"} {
			for _, dep := range dependencies(t, goos, "./"+dir) {
				for _, prefix := range barred {
					if strings.HasPrefix(dep, prefix) {
						t.Errorf("%s depends on %s on %s", dir, dep, goos)
					}
				}
			}
		}
	}
}

// dependencies lists what a package imports, at any distance.
func dependencies(t *testing.T, goos, pattern string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", pattern)
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	return strings.Fields(string(out))
}

func TestFoldersSayWhatTheyHold(t *testing.T) {
	for _, s := range sources(t) {
		for _, folder := range strings.Split(path.Dir(s.path), "/") {
			if slices.Contains(vague, folder) {
				t.Errorf("%s: a folder named %s says nothing", s.path, folder)
			}
		}
	}
}
