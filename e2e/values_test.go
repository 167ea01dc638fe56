package e2e_test

import (
	"encoding/base64"
	"os"
	"os/user"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Values that differ from run to run are written in what a story wants as a pattern that they must
// match; all other values must be equal.
const (
	anyTime  = `<time>`
	anyID    = `<id>`
	anyValue = `<value>`
)

var patterns = map[string]*regexp.Regexp{
	anyTime:  regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`),  // TM-1
	anyID:    regexp.MustCompile(`^(c|t|f|mi)-[a-z]{2}0[0-9a-z]{12}$`), // ID-1, ID-2
	anyValue: regexp.MustCompile(`.`),
}

var requestID = regexp.MustCompile(`^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$`) // ID-3

// sameValues compares what came back with what a story wants.
var sameValues = cmp.Options{
	cmp.FilterValues(func(a, b string) bool { return patterns[a] != nil || patterns[b] != nil },
		cmp.Comparer(func(a, b string) bool { return matches(a, b) || matches(b, a) })),
	cmp.FilterPath(func(p cmp.Path) bool {
		name := p.Last().String()
		return name == ".BaseResponse" || name == ".RequestId"
	}, cmp.Ignore()),
	cmpopts.EquateEmpty(), // XML has no empty list
}

func matches(pattern, value string) bool {
	re := patterns[pattern]
	if re == nil || !re.MatchString(value) {
		return false
	}
	if pattern != anyTime {
		return true
	}
	at, err := time.Parse(time.RFC3339, value)
	return err == nil && !at.After(time.Now()) && time.Since(at) < 10*time.Minute
}

// check shows how got differs from want.
func check[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(got, want, sameValues); diff != "" {
		t.Errorf("%s (-got +want):\n%s", what, diff)
	}
}

// checkOrder checks that times are in order, as far as seconds tell (CLK-1).
func checkOrder(t testing.TB, what string, times ...string) {
	t.Helper()
	if !slices.IsSorted(times) {
		t.Errorf("%s: times %v are not in order", what, times)
	}
}

// apart is how long after the first the second time is.
func apart(t testing.TB, first, second string) time.Duration {
	t.Helper()
	a, err := time.Parse(time.RFC3339, first)
	if err != nil {
		t.Error(err)
	}
	b, err := time.Parse(time.RFC3339, second)
	if err != nil {
		t.Error(err)
	}
	return b.Sub(a)
}

func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// hostName is what the machine that the stories run on is called.
func hostName(t testing.TB) string {
	t.Helper()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// account is as whom the stories and thus the agents run.
func account(t testing.TB) *user.User {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// systemName is what the system calls itself.
func systemName(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return runtime.GOOS
	}
	_, rest, found := strings.Cut("\n"+string(text), "\nPRETTY_NAME=")
	if !found {
		return runtime.GOOS
	}
	line, _, _ := strings.Cut(rest, "\n")
	return strings.Trim(line, `"`)
}
