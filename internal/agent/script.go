package agent

import (
	"bytes"
	"cmp"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/wire"
)

// A system is the kind of operating system that scripts are for, as runtime.GOOS names it.
type system string

const onWindows system = "windows"

// here is the system that this agent runs on.
const here = system(runtime.GOOS)

// runs reports whether commands of a type can run on s (CMD-2). Where PowerShell is not part of the
// system, it can be installed as pwsh.
func (s system) runs(t orderly.CommandType) bool {
	switch t {
	case orderly.RunShellScript:
		return s != onWindows
	case orderly.RunBatScript:
		return s == onWindows
	case orderly.RunPowerShellScript:
		return s == onWindows || hasPowerShell()
	}
	return false
}

func hasPowerShell() bool {
	_, err := exec.LookPath("pwsh")
	return err == nil
}

// extension is that of a saved script.
func extension(job *wire.Job) string {
	ext := map[orderly.CommandType]string{orderly.RunShellScript: ".sh", orderly.RunBatScript: ".bat", orderly.RunPowerShellScript: ".ps1"}
	return cmp.Or(orderly.ScriptExt(job.Launcher), ext[job.Type])
}

// text is what is saved of a script. Windows wants its own ends of lines, and to be told of UTF-8; a batch
// file does not show its lines while it runs (LA-2).
func (s system) text(t orderly.CommandType, content []byte) []byte {
	if s != onWindows {
		return content
	}
	lines := bytes.ReplaceAll(bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	ascii := !bytes.ContainsFunc(content, func(r rune) bool { return r > 0x7f })
	switch {
	case t == orderly.RunBatScript && ascii:
		return append([]byte("@echo off\r\n"), lines...)
	case t == orderly.RunBatScript:
		return append([]byte("@echo off\r\nchcp 65001 >nul\r\n"), lines...)
	case t == orderly.RunPowerShellScript && !ascii:
		return append([]byte("\ufeff"), bytes.TrimPrefix(lines, []byte("\ufeff"))...)
	}
	return lines
}

// commandLine is the program, with its arguments, that runs a saved script as `sh -c <file>`, `powershell
// -File <file>` or the file itself would (LA-2), or that runs its launcher (LA-1), which on Windows is
// a saved file too.
func (s system) commandLine(job *wire.Job, script string) (program string, args []string) {
	switch {
	case s == onWindows && job.Launcher != "":
		return "cmd", []string{"/d", "/s", "/c", launcherFile(script)}
	case job.Launcher != "":
		return "sh", []string{"-c", orderly.Launch(job.Launcher, plain(script))}
	case job.Type == orderly.RunBatScript:
		return "cmd", []string{"/d", "/s", "/c", script}
	case job.Type == orderly.RunPowerShellScript && s == onWindows:
		return "powershell", []string{"-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File", script}
	case job.Type == orderly.RunPowerShellScript:
		return "pwsh", []string{"-NoProfile", "-NonInteractive", "-File", script}
	case bytes.HasPrefix(job.Content, []byte("#!")): // sh runs another interpreter when it executes the file
		return "sh", []string{"-c", `exec "$0"`, script}
	}
	return "sh", []string{script}
}

// launcherFile is where a launcher is saved that is a file.
func launcherFile(script string) string { return script + ".launch.bat" }

// launcherText is what is saved there.
func launcherText(job *wire.Job, script string) []byte {
	script = strings.ReplaceAll(script, "%", "%%")
	if strings.ContainsAny(script, " &()^=;,'`!+[]{}~") {
		script = `"` + script + `"`
	}
	return []byte("@echo off\r\n" + orderly.Launch(job.Launcher, script) + "\r\n")
}

// plain is a path as the shell reads it where nothing is quoted. Only the agent's directory may have
// anything to hide from it.
func plain(path string) string {
	var b strings.Builder
	for _, r := range path {
		if !strings.ContainsRune("/._-+,:@%", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// writeScript writes a task's script where its user, and nobody else, can read and execute it. Its
// name carries the invocation's ID (LA-3).
func (a *Agent) writeScript(o Occurrence, job *wire.Job) (dir, script string, err error) {
	uid, gid, foreign := owner(job.Username)
	if foreign {
		dir, err = foreignDir(a.foreignPrefix())
	} else {
		dir = filepath.Join(a.workDir(), o.name())
		err = os.Mkdir(dir, 0o700)
	}
	if err != nil {
		return dir, "", err
	}
	script = filepath.Join(dir, scriptName(o, job.InvokeID)+extension(job))
	if err = writeExecutable(script, here.text(job.Type, job.Content)); err != nil {
		return dir, script, err
	}
	if here == onWindows && job.Launcher != "" {
		err = writeExecutable(launcherFile(script), launcherText(job, script))
	}
	if foreign {
		err = os.Chown(script, uid, gid)
	}
	return dir, script, err
}

// foreignPrefix is how the paths of those directories begin that hold other users' scripts, who
// cannot look into the agent's own.
func (a *Agent) foreignPrefix() string {
	return filepath.Join(os.TempDir(), "orderly-"+a.journal.Incarnation()[:10]+"-")
}

// foreignDir makes one of those directories. Others share the place where it is: its name was not there
// before, and it stays ours, so that nobody can put anything else in the place of a script, or of
// what is removed afterwards.
func foreignDir(prefix string) (string, error) {
	dir, err := os.MkdirTemp(filepath.Split(prefix))
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711) // who knows a script's name may go to it, and its mode decides
}

// scriptName is what users see in the shell's messages.
func scriptName(o Occurrence, invokeID string) string {
	if invokeID == "" || strings.ContainsFunc(invokeID, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return strconv.FormatInt(o.Invocation, 10)
	}
	return invokeID
}

// writeExecutable writes a file that can be executed at once: nobody may fork while it is open for
// writing, for then the child would have it open too, and the kernel refuses to execute such a file.
func writeExecutable(path string, content []byte) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, content, 0o700)
}

// clearWork removes the scripts that a killed agent left, as far as it can: what is left is in nobody's way. What
// others have put where those of other users were is not ours to remove.
func (a *Agent) clearWork() {
	var old []string
	own, err := os.ReadDir(a.workDir())
	for _, dir := range own {
		old = append(old, filepath.Join(a.workDir(), dir.Name()))
	}
	foreign, err2 := filepath.Glob(a.foreignPrefix() + "*")
	for _, dir := range foreign {
		if ownDir(dir) {
			old = append(old, dir)
		}
	}
	if err := errors.Join(err, err2); err != nil {
		a.log.Warn("old scripts cannot be found", "error", err)
	}
	for _, dir := range old {
		if err := os.RemoveAll(dir); err != nil {
			a.log.Warn("an old script cannot be removed", "error", err)
		}
	}
}
