// Package agent is what runs on each machine: it registers the machine, keeps a link to the server,
// runs what it is given and reports what came of it. Package wire is the protocol between the two.
//
// # What it holds
//
// A directory of its own: identity.json (who the machine is, with the private key), journal (what
// was given, started and ended; see [Journal]) and work (the scripts of the commands that run). The
// journal comes first: no process is started that it does not name, so that whatever is killed and
// when, a task is started at most once, and the report of an end stays in the journal until the
// server has acknowledged it.
//
// # Life of a task
//
// A Run message is taken up when it is written to the journal; then it waits for its turn
// (Config.AtOnce) and is started. A command that ends within moments sends one report, the end. A
// longer one says that it runs, and then about every second the newest piece of its output. A Stop
// is a tombstone in the journal before anything else.
//
// # Ends of the agent
//
// When Run's context ends, running commands are killed, since their output could be read by nobody,
// and reported as Error/ClientRestarted with what they wrote so far. When the agent is killed, its
// next start kills what the journal says was running and reports the same, without the output. After
// a boot of the machine nothing is left to kill, and the code is InstanceRestarted. What was taken
// up but not started runs after a restart of the agent, and not after one of the machine.
//
// # Little disk
//
// Reports that wait are kept up to Config.Spool; above it they lose their output, the oldest first,
// but never the end itself. When even the ends do not fit, or the disk takes no more records, new
// work is refused as Invalid/ClientDiskFull.
package agent
