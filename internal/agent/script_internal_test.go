package agent

import (
	"slices"
	"testing"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/wire"
)

// LA-1, LA-2: what runs a script, on each system.
func TestEachSystemHasItsInterpreters(t *testing.T) {
	const sh, bat, ps = orderly.RunShellScript, orderly.RunBatScript, orderly.RunPowerShellScript
	for _, c := range []struct {
		on   system
		job  wire.Job
		file string
		want []string
	}{
		{"linux", wire.Job{Type: sh, Content: []byte("true")}, "/w/t.sh", []string{"sh", "/w/t.sh"}},
		{"linux", wire.Job{Type: sh, Content: []byte("#!/bin/awk")}, "/w/t.sh", []string{"sh", "-c", `exec "$0"`, "/w/t.sh"}},
		{"linux", wire.Job{Type: sh, Launcher: "python3 -u"}, "/w o/t.sh", []string{"sh", "-c", `python3 -u /w\ o/t.sh`}},
		{"linux", wire.Job{Type: ps}, "/w/t.ps1", []string{"pwsh", "-NoProfile", "-NonInteractive", "-File", "/w/t.ps1"}},
		{"windows", wire.Job{Type: ps}, `C:\w\t.ps1`, []string{"powershell", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File", `C:\w\t.ps1`}},
		{"windows", wire.Job{Type: bat}, `C:\w\t.bat`, []string{"cmd", "/d", "/s", "/c", `C:\w\t.bat`}},
		{"windows", wire.Job{Type: bat, Launcher: "python"}, `C:\w\t.bat`, []string{"cmd", "/d", "/s", "/c", `C:\w\t.bat.launch.bat`}},
	} {
		program, args := c.on.commandLine(&c.job, c.file)
		if got := append([]string{program}, args...); !slices.Equal(got, c.want) {
			t.Errorf("%s %+v: %q, want %q", c.on, c.job, got, c.want)
		}
	}
}

// LA-1, LA-2, CMD-2: how a script is saved.
func TestEachSystemHasItsTexts(t *testing.T) {
	const sh, bat, ps = orderly.RunShellScript, orderly.RunBatScript, orderly.RunPowerShellScript
	for _, c := range []struct {
		on            system
		of            orderly.CommandType
		content, want string
	}{
		{"linux", sh, "a\nb\r\n", "a\nb\r\n"},
		{"linux", ps, "é\n", "é\n"},
		{"windows", bat, "dir\nver\r\n", "@echo off\r\ndir\r\nver\r\n"},
		{"windows", bat, "echo é\n", "@echo off\r\nchcp 65001 >nul\r\necho é\r\n"},
		{"windows", ps, "ls\n", "ls\r\n"},
		{"windows", ps, "'é'", "\ufeff'é'"},
		{"windows", ps, "\ufeff'é'", "\ufeff'é'"},
	} {
		if got := string(c.on.text(c.of, []byte(c.content))); got != c.want {
			t.Errorf("%s %s: %q is saved as %q, want %q", c.on, c.of, c.content, got, c.want)
		}
	}
	job := wire.Job{Launcher: `python "{{ACS::ScriptFileName|Ext(".py")}}" -v`, Type: bat}
	if got, want := string(launcherText(&wire.Job{Launcher: "py {{ACS::ScriptFileName}} -v"}, `C:\Program Files\t.py`)), "@echo off\r\npy \"C:\\Program Files\\t.py\" -v\r\n"; got != want {
		t.Errorf("launcher = %q, want %q", got, want)
	}
	for want, got := range map[string]string{".py": extension(&job), ".bat": extension(&wire.Job{Type: bat}), ".ps1": extension(&wire.Job{Type: ps}), ".sh": extension(&wire.Job{Type: sh})} {
		if got != want {
			t.Errorf("extension = %q, want %q", got, want)
		}
	}
}

// CMD-2: what a machine can run at all.
func TestEachSystemHasItsTypes(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // without pwsh
	for _, c := range []struct {
		on   system
		of   orderly.CommandType
		want bool
	}{
		{"linux", orderly.RunShellScript, true},
		{"linux", orderly.RunBatScript, false},
		{"linux", orderly.RunPowerShellScript, false},
		{"windows", orderly.RunShellScript, false},
		{"windows", orderly.RunBatScript, true},
		{"windows", orderly.RunPowerShellScript, true},
		{"linux", "RunPerlScript", false},
	} {
		if got := c.on.runs(c.of); got != c.want {
			t.Errorf("%s runs %s: %v, want %v", c.on, c.of, got, c.want)
		}
	}
}
