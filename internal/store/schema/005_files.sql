-- An invocation may put a file on machines in place of running a command. The file's name and content stand
-- in command_name and content, so that it is found by its name as invocations are.

alter table invocations add column file text not null default ''; -- JSON object of the rest; '' for a command
