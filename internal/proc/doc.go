// Package proc runs one process: with a time limit, under a user, its output kept to the last
// bytes, and killed alone or with everything it ever started.
//
// # Output
//
// Standard output and standard error are one pipe, so they come in order of arrival (OUT-1). It is
// read as fast as it comes and only the last Spec.Keep bytes stay in memory, whatever is written.
// A process that ends while a child of it still holds the pipe is not waited for beyond Spec.Grace;
// after that the pipe is closed, and the child's next write fails.
//
// # Killing
//
// A process is killed hard, with SIGKILL. Without Spec.KillTree it dies alone and its descendants
// live on (TERM-1, Process). With it nobody is left (TERM-1, ProcessTree). On Linux a descendant is
// whatever started after the process and
//
//   - is its child, or the child of a descendant, or
//   - shares a process group or session with one, or
//   - has the process's mark, the variable ORDERLY_TASK, in its environment.
//
// The mark finds those who called setsid and whose parents are gone. Who clears the environment,
// leaves the session and orphans itself, all three before the kill, is not found. Everyone found is
// frozen first, so that nobody forks while others are looked for; when nobody new appears all are
// killed, the process itself last: if the killer dies half way, KillRecorded can begin again.
// On other Unix systems a tree is the process's group.
package proc
