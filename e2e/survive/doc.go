// Package survive tells what goes wrong: servers and agents killed, networks cut, journals lost,
// identities copied. It holds tests only. Whatever happens to them, after it
//
//   - no task was started twice;
//   - each run that ended has its result in the database, as its task's own or as a late one;
//   - each task has ended soon after its deadline, and nothing that had ended changed;
//   - the counters are what counting says;
//   - all that was accepted is there.
//
// TestRounds does so at random, each round from a seed of its own: ORDERLY_SEED=7 repeats one. The
// other tests tell one mishap each.
package survive
