// Package agent is what runs on each machine: it registers the machine, keeps a link to the server,
// runs what it is given and reports what came of it. Package wire is the protocol between the two.
//
// # What it holds
//
// A directory of its own: identity.json (who the machine is, with the private key), journal (what
// was given, started and ended; see [Journal]), status.json (how it stands with its server; see [Status]) and
// work (the scripts of the commands that run). The
// journal comes first: no process is started that it does not name, so that whatever is killed and
// when, a task is started at most once, and the report of an end stays in the journal until the
// server has acknowledged it.
//
// # Ways to the server
//
// Connections go through a proxy if one is set. The bus is reached by TCP or, where that does not lead to one,
// inside a WebSocket of the API's address; the way that led there is tried first the next time. [Checkup] walks
// the same ways and tells what is wrong with them.
//
// # Life of a task
//
// A Run message is taken up when it is written to the journal; then it waits for its turn
// (Config.AtOnce) and is started. A command that ends within moments sends one report, the end. A
// longer one says that it runs, and then about every second the newest piece of its output. A Stop
// is a tombstone in the journal before anything else.
//
// The script is a file that carries the invocation's ID, readable for the user it runs as and for
// nobody else, and removed afterwards. sh runs it, or what its first line names, or its launcher: a
// command line that sh reads, with the script's path in it. On Windows PowerShell or cmd does. What it
// finds is the environment of a login: nothing of the agent's own but time zone and language.
//
// Files of other users' scripts are in directories of the agent's own in the place for temporary files,
// under names that were not there before. Their users can go there and change nothing.
//
// # Containers
//
// A script for a container is started by the container engine, which is asked once, and its process then looked after as one of the agent's
// own is: the engine tells its number, and has no way to end it (package docker). Under what name the engine knows it is
// in the journal before the engine is asked. The next start of an agent that was killed waits until the engine has
// started what it was asked to, and finds the process by its mark.
//
// # Files
//
// A file is a task without a process. It is written under a name of its own beside its place, with its owners and
// its mode, made safe from a power cut, and then put in its place in one step: renamed over what is there, or given
// its name as a second one, which fails where something is. A link in its place is replaced and not followed.
// What a killed agent has left beside the place is removed by its next start, which finds the task in the journal;
// whether the file is in its place it does not know, and the end is Error/ClientRestarted as for commands. An agent that
// has lost its journal leaves such a file (.orderly-…) where it is.
//
// # Schedules
//
// A schedule is a task that the journal keeps until it is over; each of its runs is an [Occurrence]
// with a life of its own there, from the record that it is starting to the acknowledgement of its end.
// The schedule's record has what was handed over, when the task was created by this machine's clock,
// and whether the boot under which it came is one to run at. How many runs there were and whether one
// was started under this boot is kept with it when they are forgotten. A newer version replaces the
// record and no more than that.
//
// Times of a rate count from the task's creation by the clock of the process, which nobody sets. A
// calendar is read off the machine's clock, which is looked at every Times.Clock. What is due while
// the agent is down, the machine sleeps or the run before waits or goes on is left out. EveryReboot and
// NextRebootOnly are due when the journal was written under another boot, or came after the boot that
// is to run it. No run begins before its record is safe from a power cut, so that no ordinal is used
// twice.
//
// Schedules do not wait for a server, neither when the agent starts nor later. But they keep still
// once the server has said that another agent is this instance.
//
// Runs are told of in their order and the end of the schedule last: as part of the end of its last run,
// or by itself. With that acknowledged all of it is forgotten.
//
// # Ends of the agent
//
// When Run's context ends, running commands are killed, since their output could be read by nobody,
// and reported as Error/ClientRestarted with what they wrote so far. When the agent is killed, its
// next start kills what the journal says was running and reports the same, without the output. After
// a boot of the machine nothing is left to kill, and the code is InstanceRestarted. What was taken
// up but not started runs after a restart of the agent, and not after one of the machine. A schedule
// goes on after both.
//
// # Little disk
//
// Reports that wait are kept up to Config.Spool; above it they lose their output, the oldest first,
// but never the end itself. When even the ends do not fit, or the disk takes no more records, new
// work is refused as Invalid/ClientDiskFull, and runs of schedules are left out.
package agent
