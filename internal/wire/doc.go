// Package wire is the native protocol between a server and its agents. This comment specifies it.
//
// # Registration
//
// An agent makes its own NKey and posts a [Registration] to [RegisterPath] over HTTPS. The answer is
// a [Registered]: the instance's ID, where the message bus is, and the CA that signs for it. The
// private half of the key never leaves the machine.
//
// # Ways to the bus
//
// A WebSocket at [BusPath] of the API's address carries a connection to the bus in binary messages, byte for
// byte: what a message holds has no meaning, and TLS is within. It is for networks that do not let a machine
// reach the bus itself. [Addresses], in the answer to a registration and in each Welcome, tell where servers
// and buses are from now on; an agent keeps them and uses them for its next connection.
//
// # Subjects
//
// Everything after that goes over NATS. One process of an agent is a link, named by a random text
// that it makes when it starts. With I the instance's ID and L the link, an agent
//
//   - names its connection L;
//   - subscribes to orderly.to.I.L and to nothing else;
//   - publishes on orderly.from.I.hello, .report and .beat and on nothing else.
//
// The connection may do just that (and no other instance's): the subject proves who speaks. Every
// message is JSON, one [ToAgent] or [Hello], [Reports], [Beat].
//
// # Order of a link
//
// The first message of a link, and the first after each reconnect, is a [Hello]. The server answers
// with a Welcome, or with a Goodbye and a reason: another link holds the instance ("duplicate"), it was
// deregistered ("deregistered"), or the version is not spoken ("version"). Until it is welcomed an agent
// takes up nothing and starts nothing but runs of schedules that it holds; those it starts until it is
// told that it is a duplicate. An agent that hears nothing says hello again, later each time.
//
// A Hello has a digest of the tasks that the agent holds. A server that holds others answers Welcome with
// List, and the agent says hello with the list. A long list comes in parts, in the order of the tasks' keys,
// each a whole statement about the tasks between two keys: any server may receive it, and answers with
// the key behind which the next part begins. The last part is answered as a whole list is.
//
// A Run message is for one incarnation of the agent's journal and one boot of the machine; an agent
// for which it is not meant drops it. Allowance is how many milliseconds are left for the agent to take
// the task up; it is relative, so that no clock is compared with another. Repeated Run messages of a
// known task are answered with a report of where it stands.
//
// Stop asks to end a task: what never started will never start (the agent notes that first), what runs
// is killed, what has ended is reported again. Expire is the same for a task that has not started, and
// leaves a started one alone. Both are answered by a report, and sent again until they are.
// Probe asks whether the link is alive and is answered by a Beat that says so. A link that beats and
// holds its instance no longer is told Welcome with List: it says hello again.
//
// # Files
//
// A Job with a [File] puts that on the machine and runs nothing. It has no Type, so that an agent which knows of no
// files refuses it like a script of an unknown type, as Invalid with CommandNotApplicable; no agent refuses a file
// so for another reason. What can be known before anything is written is Invalid too, with a code that says it; a fault of
// the writing is Failed with one. The end has no exit code and no output. A file is put in its place at once or not at
// all, and not after Timeout.
//
// # Containers
//
// A Job with a [Container] runs its script as /bin/sh -c in that container. It has neither Type nor Content of its own, for
// the same reason: an agent that knows of no containers refuses it as Invalid with CommandNotApplicable, which no other
// agent does, and the server takes that for ClientNeedUpgrade. So what an agent can do is decided when it is handed the
// task, and by itself. A container that cannot be run in is Invalid too, with a code that says why.
//
// # Schedules
//
// A Run message with a [Plan] hands a schedule over, or with a higher version replaces what the agent
// has of it. Mode DryRun asks to check the job and to run nothing: it is answered with Success and no
// start, or with Invalid. The other modes are kept in the journal and run while the server is away.
// Period follows the expression Frequency: no time is made up for, and none starts while the run
// before goes on. EveryReboot and NextRebootOnly run at a boot of the machine that came after the task
// was created: at once when the boot is younger than Age and is not Before, else at the next one.
//
// That the schedule is held is reported as Pending. Runs of Period and EveryReboot count from Ran+1
// and are reported each as a task is, in their order, with their output at the end; NextRebootOnly
// is reported like a task that runs once. Last says that with this snapshot the schedule is over. One
// that is over other than by the end of a run says so as run [OverRun]: Cancelled after a Stop, Aborted
// when it never was taken up in time, Invalid with a code when it makes no sense or has no time left.
// The Version of a Snapshot tells which one the agent holds. An agent that is asked to stop or expire a
// task that it knows nothing of answers as run OverRun too: it may have been a schedule of whose runs
// the server has heard. One that it holds was taken up: Expire leaves it alone.
//
// # Reports
//
// [Reports] carries the newest snapshots of up to [MaxReports] tasks and at most [MaxReportBytes]. One
// such message is under way at a time; it is sent again, later each time, until an Ack with its number
// says that all of it is in the database. An end report that was acknowledged is final: the agent may forget
// the task. Times are ages in milliseconds at the moment of sending. Snapshots of one task carry
// growing numbers; the end has [EndNumber].
package wire
