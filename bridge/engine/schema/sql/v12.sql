-- Version 12: who inserts announces it, no trigger does; priorities go up to 9. The check stays unvalidated, so that no row
-- has to be read while the table is locked.
drop trigger if exists oban_notify on {prefix}.oban_jobs;

drop function if exists {prefix}.oban_jobs_notify();

alter table {prefix}.oban_jobs
  drop constraint if exists priority_range,
  drop constraint if exists non_negative_priority,
  add constraint non_negative_priority check (priority >= 0) not valid;
