-- Instances that have left the fleet while more tasks of theirs were live than one transaction ends. Nothing else
-- would come to those that have no deadline, as schedules.
create table leavers (
    instance text primary key
);
insert into leavers (instance) select i.id from instances i
    where i.deregistered > 0 and exists (select 1 from tasks t where t.instance = i.id and t.live = 1);
