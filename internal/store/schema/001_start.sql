-- One text for SQLite and PostgreSQL: text, bigint and bytea columns; IDs and times (Unix ms, 0 for
-- "not yet") are made in Go.

create table secrets (
    name    text primary key,
    sealed  bytea not null,
    created bigint not null
);

create table accounts (
    id      text primary key,
    created bigint not null
);

create table access_keys (
    id       text primary key,
    account  text not null references accounts (id),
    secret   bytea not null, -- sealed
    disabled bigint not null,
    created  bigint not null
);

create table nonces (
    key_id  text not null,
    nonce   text not null,
    expires bigint not null,
    primary key (key_id, nonce)
);
create index nonces_expires on nonces (expires);

create table client_tokens (
    account   text not null,
    region    text not null,
    operation text not null,
    token     text not null,
    digest    bytea not null, -- of the request's parameters
    answer    text not null,  -- IDs of the first answer
    created   bigint not null,
    primary key (account, region, operation, token)
);
create index client_tokens_created on client_tokens (created);

create table tags (
    kind     text not null, -- instance, command, invocation, activation
    resource text not null,
    name     text not null,
    value    text not null,
    account  text not null,
    region   text not null,
    primary key (kind, resource, name)
);
create index tags_found on tags (account, region, kind, name, value, resource);

create table activations (
    seq            bigint primary key,
    id             text not null unique,
    code_hash      bytea not null,
    account        text not null,
    region         text not null,
    description    text not null,
    name_prefix    text not null,
    uses           bigint not null,
    address_range  text not null,
    ttl            bigint not null, -- ms
    resource_group text not null,
    disabled       bigint not null,
    registered     bigint not null,
    deregistered   bigint not null,
    created        bigint not null
);
create index activations_listed on activations (account, region, seq);

create table instances (
    seq            bigint primary key,
    id             text not null unique,
    account        text not null,
    region         text not null,
    name           text not null,
    activation     text not null,
    public_key     text not null unique,
    machine_id     text not null,
    hostname       text not null,
    os             text not null,
    os_version     text not null,
    agent_version  text not null,
    intranet_ip    text not null,
    internet_ip    text not null,
    resource_group text not null,
    registered     bigint not null,
    deregistered   bigint not null -- 0 while it is one of the fleet
);
create index instances_listed on instances (account, region, seq) where deregistered = 0;

-- What is known of each instance's agent now: narrow, for it is written all the time.
create table presence (
    instance    text primary key,
    link        text not null, -- "" while none is up
    incarnation text not null,
    boot        text not null,
    linked      bigint not null, -- when the link last came up or went down
    heartbeat   bigint not null
);

-- What an instance has done; apart from presence, so that reports and hellos do not wait for each
-- other.
create table activity (
    instance  text primary key,
    completed bigint not null, -- tasks ended on it
    invoked   bigint not null  -- start of its newest run
);

create table commands (
    seq              bigint primary key,
    id               text not null unique,
    account          text not null,
    region           text not null,
    name             text not null,
    description      text not null,
    type             text not null,
    content          bytea not null,
    working_dir      text not null,
    timeout          bigint not null, -- ms
    enable_parameter bigint not null,
    launcher         text not null,
    resource_group   text not null,
    kept             bigint not null,
    invoke_times     bigint not null,
    created          bigint not null
);
create index commands_listed on commands (account, region, kept, seq);

create table invocations (
    seq                 bigint primary key,
    id                  text not null unique,
    account             text not null,
    region              text not null,
    status              text not null,
    legacy_status       text not null,
    building            bigint not null, -- 1 until all of its tasks are there
    next_due            bigint not null, -- earliest due of its tasks, 0 for none
    finished            bigint not null,
    size                bigint not null,
    created             bigint not null,
    command             text not null,
    command_name        text not null,
    command_description text not null,
    command_type        text not null,
    content             bytea not null,
    working_dir         text not null,
    timeout             bigint not null, -- ms
    enable_parameter    bigint not null,
    launcher            text not null,
    keep_command        bigint not null,
    parameters          text not null, -- JSON object
    repeat_mode         text not null,
    frequency           text not null,
    termination         text not null,
    username            text not null,
    password_name       text not null,
    container_id        text not null,
    container_name      text not null,
    resource_group      text not null,
    delivery            bigint not null, -- ms
    wait_for_away       bigint not null,
    caller_key          text not null,
    source_ip           text not null
);
create index invocations_listed on invocations (account, region, seq);
create index invocations_by_command on invocations (command, seq);
create index invocations_unbuilt on invocations (created) where building = 1;
create index invocations_due on invocations (next_due) where next_due > 0;

-- How many of an invocation's tasks stand where; no further index, for it changes all the time.
create table counters (
    invocation bigint primary key,
    pending    bigint not null,
    scheduled  bigint not null,
    running    bigint not null,
    stopping   bigint not null,
    success    bigint not null,
    failed     bigint not null,
    broken     bigint not null,
    stopped    bigint not null,
    halted     bigint not null
);

create table tasks (
    invocation  bigint not null,
    ordinal     bigint not null,
    instance    text not null,
    live        bigint not null,
    state       text not null,
    error_code  text not null,
    incarnation text not null, -- of the agent it was handed to, "" while it was not
    boot        text not null,
    sent        bigint not null,
    sends       bigint not null,
    confirmed   bigint not null,
    asked       bigint not null,
    due         bigint not null,
    created     bigint not null,
    started     bigint not null,
    stopped     bigint not null,
    finished    bigint not null,
    updated     bigint not null,
    exit_code   bigint,
    repeats     bigint not null,
    report      bigint not null,
    total       bigint not null,
    output      bytea not null,
    primary key (invocation, ordinal)
);
create index tasks_by_instance on tasks (instance, invocation);
create index tasks_live on tasks (instance) where live = 1;
create index tasks_due on tasks (invocation, due) where due > 0;

-- Ends that were reported after their task had ended.
create table late_results (
    invocation bigint not null,
    ordinal    bigint not null,
    report     bigint not null,
    instance   text not null,
    state      text not null,
    error_code text not null,
    started    bigint not null,
    finished   bigint not null,
    received   bigint not null,
    exit_code  bigint,
    total      bigint not null,
    output     bytea not null,
    primary key (invocation, ordinal, report)
);

-- Reports that could not be stored, kept raw; bounded.
create table refused_reports (
    seq      bigint primary key,
    instance text not null,
    received bigint not null,
    cause    text not null,
    raw      bytea not null
);
