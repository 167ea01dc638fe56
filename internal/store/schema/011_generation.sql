-- How often the database was restored from a backup, and whether live tasks of before that are still to be marked.
create table generation (
    number  bigint not null, -- 1 for a database that never was
    marking bigint not null  -- 1 until all of them are
);
insert into generation (number, marking) values (1, 0);
