package agent

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/proc"
	"github.com/orderly-run/orderly/internal/wire"
)

// execute runs a task whose start the journal knows of, from the start of its process to its end.
// It runs beside the agent and tells it by post. The run of a schedule begins when its record is safe
// from a power cut too: one for NextRebootOnly must never be repeated (design rule 5), and no ordinal
// may be used again.
func (a *Agent) execute(t *task, data []byte) {
	if t.plan != nil || t.of != nil {
		if err := a.journal.Sync(); err != nil {
			a.log.Error("a run cannot be made sure of", "task", t.key, "error", err)
			a.post(func() { a.exited(t, outcome{State: orderly.Invalid, Code: orderly.ClientDiskFull}) })
			return
		}
	}
	p, clean, err := a.launch(t.key, data)
	if err != nil {
		a.log.Warn("a process cannot be started", "task", t.key, "error", err)
		a.post(func() { a.exited(t, unstarted(err)) })
		return
	}
	at := time.Now()
	if err := a.journal.Started(t.key, Process{PID: p.PID(), StartTime: p.StartTime(), At: at}); err != nil {
		a.log.Warn("a start cannot be recorded", "task", t.key, "error", err) // its mark tells as well
	}
	a.post(func() { a.started(t, p, at) })
	r := run{Result: p.Wait()}
	clean()
	if r.Err != nil {
		a.log.Error("a process is not under control", "task", t.key, "pid", p.PID(), "error", r.Err)
	}
	r.output, r.total = p.Output()
	a.post(func() {
		r.stopped = t.stopped
		a.exited(t, r.outcome())
	})
}

// launch starts a task's process; clean removes what was made for it.
func (a *Agent) launch(o Occurrence, data []byte) (p *proc.Process, clean func(), err error) {
	job, err := wire.Decode[wire.Job](data)
	if err != nil {
		return nil, nil, err
	}
	dir, script, err := a.writeScript(o, &job)
	clean = func() {
		if err := os.RemoveAll(dir); err != nil {
			a.log.Warn("a script cannot be removed", "task", o, "error", err)
		}
	}
	if err == nil {
		spec := process(&job, script)
		spec.Mark = a.mark(o)
		p, err = proc.Start(spec)
	}
	if err != nil {
		clean()
	}
	return p, clean, err
}

// tryLaunch finds what would keep a job's process from being started.
func tryLaunch(data []byte) error {
	job, err := wire.Decode[wire.Job](data)
	if err != nil {
		return err
	}
	return proc.Check(process(&job, "script"))
}

// process is the process of a job whose script is saved.
func process(job *wire.Job, script string) proc.Spec {
	return proc.Spec{
		Path: "sh", Args: arguments(script, job), Dir: job.WorkingDir, Env: environment(job.Username),
		Username: job.Username, Timeout: milliseconds(job.Timeout),
		KillTree: job.Termination == orderly.KillProcessTree, Keep: orderly.MaxOutput,
	}
}

// mark is what a task's processes have in their environment (package proc), also after a restart of
// the agent.
func (a *Agent) mark(o Occurrence) string { return a.journal.Incarnation() + "-" + o.name() }

// name tells o from all others.
func (o Occurrence) name() string {
	name := fmt.Sprintf("%d-%d", o.Invocation, o.Ordinal)
	if o.Run > 0 {
		name += "-" + strconv.Itoa(o.Run)
	}
	return name
}

// arguments are those of sh that run a script file as `sh -c <file>` does (LA-2), which means sh
// itself unless the first line names another interpreter, or that run its launcher (LA-1).
func arguments(script string, job *wire.Job) []string {
	switch {
	case job.Launcher != "":
		return []string{"-c", orderly.Launch(job.Launcher, plain(script))}
	case bytes.HasPrefix(job.Content, []byte("#!")):
		return []string{"-c", `exec "$0"`, script}
	}
	return []string{script}
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

// environment is the agent's own, without its settings, some of which are secret. Another user gets
// no more of it than tells language and paths: the rest may be meant for the agent's user alone.
func environment(username string) []string {
	_, _, foreign := owner(username)
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "ORDERLY_") && (!foreign || shared(entry)) {
			env = append(env, entry)
		}
	}
	if foreign {
		return env // the rest is put in when the user is known
	}
	if _, ok := os.LookupEnv("HOME"); !ok {
		if u, err := user.Current(); err == nil {
			env = append(env, "HOME="+u.HomeDir)
		}
	}
	return env
}

// shared reports whether an entry of the agent's environment is for every user.
func shared(entry string) bool {
	name, _, _ := strings.Cut(entry, "=")
	return name == "PATH" || name == "TZ" || name == "LANG" || name == "LANGUAGE" || strings.HasPrefix(name, "LC_")
}

// milliseconds is a duration that came as a number; 0 and less is none.
func milliseconds(n int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(max(n, 0), most)) * time.Millisecond
}

// writeScript writes a task's script where its user, and nobody else, can read and execute it. Its
// name carries the invocation's ID (LA-3).
func (a *Agent) writeScript(o Occurrence, job *wire.Job) (dir, script string, err error) {
	uid, gid, foreign := owner(job.Username)
	if foreign {
		dir, err = os.MkdirTemp(filepath.Split(a.foreignPrefix()))
	} else {
		dir = filepath.Join(a.workDir(), o.name())
		err = os.Mkdir(dir, 0o700)
	}
	if err != nil {
		return dir, "", err
	}
	script = filepath.Join(dir, scriptName(o, job.InvokeID)+cmp.Or(orderly.ScriptExt(job.Launcher), ".sh"))
	if err = writeExecutable(script, job.Content); err != nil || !foreign {
		return dir, script, err
	}
	if err = os.Chown(script, uid, gid); err == nil {
		err = os.Chown(dir, uid, gid)
	}
	return dir, script, err
}

// foreignPrefix is how the paths of those directories begin that hold other users' scripts, who
// cannot look into the agent's own.
func (a *Agent) foreignPrefix() string {
	return filepath.Join(os.TempDir(), "orderly-"+a.journal.Incarnation()[:10]+"-")
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

// owner is a user that is not the agent's own.
func owner(name string) (uid, gid int, foreign bool) {
	if name == "" || os.Geteuid() != 0 {
		return 0, 0, false
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, 0, false // proc will say so
	}
	uid, err = strconv.Atoi(u.Uid)
	if err != nil || uid == 0 {
		return 0, 0, false
	}
	gid, err = strconv.Atoi(u.Gid)
	return uid, gid, err == nil
}

// writeExecutable writes a file that can be executed at once: nobody may fork while it is open for
// writing, for then the child would have it open too, and the kernel refuses to execute such a file.
func writeExecutable(path string, content []byte) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, content, 0o700)
}

// runnable reports whether this system can run the job (CMD-2).
func runnable(job *wire.Job) bool {
	return job.Type == orderly.RunShellScript && runtime.GOOS != "windows"
}
