-- What the console keeps: who is signed in, and how many machines were online when.

create table sessions (
    id      text primary key, -- SHA-256 of what the browser holds
    key_id  text not null,
    created bigint not null,
    seen    bigint not null   -- last use, to within a minute
);
create index sessions_seen on sessions (seen);

-- One narrow row every few minutes for each owner of machines.
create table census (
    account  text not null,
    region   text not null,
    at       bigint not null,
    machines bigint not null,
    online   bigint not null,
    primary key (account, region, at)
);
create index census_at on census (at);
