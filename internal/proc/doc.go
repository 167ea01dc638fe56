// Package proc runs one process: with a time limit, under a user, its output kept to the last
// bytes, and ended alone or with everything it ever started.
//
// # Output
//
// Standard output and standard error are one pipe, so they come in order of arrival (OUT-1). It is
// read as fast as it comes and only the last Spec.Keep bytes stay in memory, whatever is written.
// A process that ends while a child of it still holds the pipe is not waited for beyond Spec.Drain;
// after that the pipe is closed, and the child's next write fails.
//
// # Ending
//
// A process that is stopped or whose time is over is asked to end, with SIGTERM (and SIGCONT, in case
// it is suspended), and killed with SIGKILL when Spec.Grace is over. Its exit code tells which: that of
// its own trap, 128+15, or 128+9. Without Spec.KillTree it ends alone and its descendants live on
// (TERM-1, Process). With it all are asked, parents before children, and with the process's end, or
// that of its time, all are killed (TERM-1, ProcessTree). On Linux a descendant is whatever started
// after the process and
//
//   - is in its control group (version 2, see Cgroups), or
//   - is its child, or the child of a descendant, or
//   - shares a process group or session with one, or
//   - has the process's mark, the variable ORDERLY_TASK, in its environment.
//
// The control group finds everyone whom root did not move out of it, as starting a session for another user
// does; the mark finds those who called setsid and whose parents are gone. Without a control group, who
// clears the environment, leaves the session and orphans itself, all three before the kill, is not
// found. Everyone is frozen first, so that nobody forks while others are looked for; when nobody new
// appears all are killed, the process itself last: if the killer dies half way, KillRecorded can begin
// again. What still runs in a control group when its process has ended by itself goes on in the caller's.
//
// A process that another program has started for us (Attach) is ended in the same ways, but has no control group of its own.
//
// On other Unix systems a tree is the process's group. On Windows it is a job object, and nothing is asked. It ends,
// with everybody in it, when we do, so that nobody has to be looked for then; who is left in it when its process has
// ended by itself goes on.
package proc
