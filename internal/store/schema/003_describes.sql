-- What describe operations and retention search by. Each list that they show is one range of one index,
-- in the order in which it is shown, with all columns that choose its rows.

alter table invocations add column timed bigint not null default 0; -- 1 while it will run again by itself (DI-3)
update invocations set timed = 1 where finished = 0 and repeat_mode in ('Period', 'NextRebootOnly', 'EveryReboot');

-- building: 1 until all of its tasks are there, 2 from when it is to be removed.
drop index invocations_listed;
drop index invocations_by_command;
create index invocations_listed on invocations (account, region, seq) where building = 0;
create index invocations_timed on invocations (account, region, timed, seq) where building = 0;
create index invocations_by_command on invocations (account, region, command, seq, timed) where building = 0;
create index invocations_by_name on invocations (account, region, command_name, seq, timed) where building = 0;
create index invocations_by_type on invocations (account, region, command_type, seq, timed) where building = 0;
create index invocations_by_mode on invocations (account, region, repeat_mode, seq, timed) where building = 0;
create index invocations_by_group on invocations (account, region, resource_group, seq, timed) where building = 0 and resource_group <> '';
create index invocations_ended on invocations (account, region, finished, seq) where building = 0 and finished > 0;
create index invocations_hidden on invocations (seq, building) where building > 0;
create index invocations_of_command on invocations (command) where finished = 0;

drop index tasks_by_instance;
create index tasks_by_instance on tasks (instance, invocation, ordinal, state, stopped);
create index tasks_states on tasks (invocation, ordinal, state, stopped);

-- Tags of invocations know the order and what is hidden by default; of other resources both are 0.
alter table tags add column seq bigint not null default 0;
alter table tags add column timed bigint not null default 0;
update tags set seq = coalesce((select v.seq from invocations v where v.id = tags.resource), 0),
    timed = coalesce((select v.timed from invocations v where v.id = tags.resource), 0) where kind = 'invocation';
create index tags_of_invocations on tags (account, region, name, value, seq, timed) where kind = 'invocation';

-- By which statuses an invocation is found. An invocation has one row of each kind for each value.
create table standings (
    account text not null,
    region  text not null,
    kind    text not null, -- shows: its status in either vocabulary; holds: the state of a task; records: the legacy status of one
    value   text not null,
    seq     bigint not null,
    primary key (account, region, kind, value, seq)
);
insert into standings (account, region, kind, value, seq)
    select account, region, 'shows', status, seq from invocations where building = 0
    union select account, region, 'shows', legacy_status, seq from invocations where building = 0
    union select v.account, v.region, 'holds', t.state, v.seq from tasks t join invocations v on v.seq = t.invocation;
insert into standings (account, region, kind, value, seq)
    select v.account, v.region, 'records', k.value, v.seq
    from invocations v join counters c on c.invocation = v.seq
        cross join (select 'Running' as value union all select 'Finished' union all select 'Failed' union all select 'Stopped') k
    where v.building = 0 and v.repeat_mode not in ('Period', 'NextRebootOnly', 'EveryReboot') and case k.value
        when 'Running' then c.pending + c.scheduled + c.running
        when 'Finished' then c.success + c.failed
        when 'Failed' then c.failed + c.broken
        else c.stopped end > 0
    union all
    select v.account, v.region, 'records', k.value, v.seq
    from invocations v join counters c on c.invocation = v.seq
        cross join (select 'Running' as value union all select 'Failed' union all select 'Stopped') k
    where v.building = 0 and v.repeat_mode in ('Period', 'NextRebootOnly', 'EveryReboot') and case k.value
        when 'Running' then c.pending + c.scheduled + c.running + c.success + c.failed + c.broken + c.stopped - c.halted
        when 'Failed' then c.failed
        else c.halted end > 0;
