package orderly_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/orderly-run/orderly"
)

func TestLauncher(t *testing.T) {
	const path = "/var/lib/work/t-1"
	for _, tt := range []struct {
		rule, launcher, ext, line string
	}{
		{"LA-1", "python3 -u {{ACS::ScriptFileName}}", "", "python3 -u " + path},
		{"LA-1, the extension", `python3 -u {{ACS::ScriptFileName|Ext(".py")}}`, ".py", "python3 -u " + path},
		{"LA-1, no quotes", `python3 {{ACS::ScriptFileName|Ext(.py)}} -v`, ".py", "python3 " + path + " -v"},
		{"LA-1, single quotes", `python3 {{ACS::ScriptFileName|Ext('.py')}}`, ".py", "python3 " + path},
		{"LA-1, no dot", `node {{ACS::ScriptFileName|Ext("js")}}`, ".js", "node " + path},
		{"LA-1, ENV-5, blanks", `node {{ ACS :: ScriptFileName | Ext( ".js" ) }}`, ".js", "node " + path},
		{"LA-1, twice", `sh -c "{{ACS::ScriptFileName}} || {{ACS::ScriptFileName|Ext(.sh)}}"`, ".sh", `sh -c "` + path + " || " + path + `"`},
		{"LA-1, custom parameters are of the content", "echo {{name}} {{ACS::ScriptFileName}} {}", "", "echo {{name}} " + path + " {}"},
		{"LA-2, no placeholder", "python3 -u", "", "python3 -u " + path},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			if err := orderly.CheckLauncher(tt.launcher); err != nil {
				t.Errorf("CheckLauncher = %v, want none", err)
			}
			if ext, line := orderly.ScriptExt(tt.launcher), orderly.Launch(tt.launcher, path); ext != tt.ext || line != tt.line {
				t.Errorf("extension %q, line %q, want %q, %q", ext, line, tt.ext, tt.line)
			}
		})
	}
}

func TestBadLauncher(t *testing.T) { // LA-1, CMD-3, ENV-4
	for launcher, want := range map[string]error{
		strings.Repeat("x", 1025):                               orderly.LauncherTooLong,
		"sh {{ACS::InstanceId}}":                                orderly.ParameterNameInvalid,
		"sh {{ACS::scriptFileName}}":                            orderly.ParameterNameInvalid,
		`sh {{ACS::ScriptFileName|Ext()}}`:                      orderly.ParameterNameInvalid,
		`sh {{ACS::ScriptFileName|Ext("/../../etc/cron.d/x")}}`: orderly.ParameterNameInvalid,
		`sh {{ACS::ScriptFileName|Ext("a b")}}`:                 orderly.ParameterNameInvalid,
		`sh {{ACS::ScriptFileName|Upper}}`:                      orderly.ParameterNameInvalid,
	} {
		if err := orderly.CheckLauncher(launcher); !errors.Is(err, want) {
			t.Errorf("CheckLauncher(%.60q) = %v, want %v", launcher, err, want)
		}
	}
}

// LA-1: whatever a launcher says, its script stays a file of its own folder.
func FuzzLauncher(f *testing.F) {
	f.Add(`python3 -u {{ACS::ScriptFileName|Ext(".py")}}`)
	f.Add(`{{ACS::ScriptFileName|Ext(/../x)}} {{ ACS :: ScriptFileName }}`)
	f.Fuzz(func(t *testing.T, launcher string) {
		ext := orderly.ScriptExt(launcher)
		if ext != "" && (!strings.HasPrefix(ext, ".") || len(ext) > 33 || filepath.Base("t-1"+ext) != "t-1"+ext) {
			t.Errorf("%q has the extension %q", launcher, ext)
		}
		line := orderly.Launch(launcher, "/script")
		if !strings.Contains(line, "/script") {
			t.Errorf("%q becomes %q, without the script", launcher, line)
		}
		if err := orderly.CheckLauncher(launcher); err == nil && orderly.ScriptExt(line) != "" {
			t.Errorf("%q becomes %q, with a placeholder in it", launcher, line)
		}
	})
}
