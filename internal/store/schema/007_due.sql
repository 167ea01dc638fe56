-- When an invocation must be looked at next changes often: it stands in its narrow row. In the wide one
-- PostgreSQL wrote entries to all its indexes with each change.
alter table counters add column next_due bigint not null default 0; -- earliest due of its tasks, 0 for none
update counters set next_due = (select v.next_due from invocations v where v.seq = invocation)
    where invocation in (select v.seq from invocations v where v.next_due > 0);
drop index invocations_due;
alter table invocations drop column next_due;
create index counters_due on counters (next_due) where next_due > 0;
