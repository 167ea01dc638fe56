-- The tasks in states that few end in, found without reading all of their invocation's.
create index tasks_rare on tasks (invocation, state, ordinal)
    where state in ('Timeout', 'Error', 'Invalid', 'Aborted', 'Cancelled', 'Terminated');
