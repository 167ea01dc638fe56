-- What a task wrote, as a number that differs when the output does: outputs are compared without being read.
-- It stands in the index of states, which changes with each end anyway.

alter table tasks add column digest bigint not null default 0; -- of an ended task's output, 0 when none was made
drop index tasks_states;
create index tasks_states on tasks (invocation, ordinal, state, stopped, error_code, exit_code, digest);
