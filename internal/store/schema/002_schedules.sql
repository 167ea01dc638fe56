-- Invocations that repeat: what changed of them, and the runs that each of their tasks has had.

alter table invocations add column version bigint not null default 0;      -- how often it was modified
alter table tasks add column version bigint not null default 0;            -- of its invocation, as the agent is to have it
alter table tasks add column former_boot text not null default '';         -- of the machine, when it was handed over before

-- One row for each run that has started.
create table runs (
    invocation bigint not null,
    ordinal    bigint not null,
    run        bigint not null, -- 1 for the first
    instance   text not null,
    state      text not null,
    error_code text not null,
    started    bigint not null,
    stopped    bigint not null,
    finished   bigint not null,
    exit_code  bigint,
    total      bigint not null,
    output     bytea not null,
    primary key (invocation, ordinal, run)
);
create index runs_listed on runs (invocation, started, ordinal, run);
create index runs_ended on runs (finished) where finished > 0;
