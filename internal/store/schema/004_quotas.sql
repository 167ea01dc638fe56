-- How many invocations an account made in a region, on the newest day on which it made any. Narrow, for
-- where their number is limited it is written with each of them.
create table daily_invocations (
    account text not null,
    region  text not null,
    day     bigint not null, -- UTC, from 1970 on
    made    bigint not null,
    primary key (account, region)
);

-- From this version on the tags of an instance go with it.
delete from tags where kind = 'instance' and resource in (select id from instances where deregistered > 0);
