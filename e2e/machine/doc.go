// Package machine tells stories of whole machines on which systemd is process 1: the agent is installed there as
// docs/agent.md says, and lives through crashes, restarts, upgrades and boots; and the same where there is another
// init. It holds tests only.
//
// Such a machine is namespaces: processes, mounts, control groups, host name. Its file system is that of the machine
// which the tests run on, below a layer in memory that takes what is written, without what boots there: of the
// system's own services only the journal runs. It shares the network, in which the server listens on the loopback
// address. It ends, with all its processes, when the test process ends, however that ends.
//
// It takes root, and systemd. Where a machine cannot be made a test is skipped with one line that says why, or
// fails when ORDERLY_REQUIRE_SYSTEMD=1 is set, so that nobody takes a skip for a pass.
package machine
