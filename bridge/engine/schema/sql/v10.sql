-- Version 10: defaults, checks of attempts and priorities, and the indexes of args and meta. A priority may be null until
-- here, and means 0.
update {prefix}.oban_jobs
set priority = 0
where priority is null;

alter table {prefix}.oban_jobs
  alter column args set default '{}',
  alter column priority set not null,
  add constraint priority_range check (priority >= 0 and priority <= 3),
  add constraint positive_max_attempts check (max_attempts > 0),
  add constraint attempt_range check (attempt >= 0 and attempt <= max_attempts);

drop index if exists {prefix}.oban_jobs_attempted_at_id_index;

create index if not exists oban_jobs_args_index
  on {prefix}.oban_jobs using gin (args);

create index if not exists oban_jobs_meta_index
  on {prefix}.oban_jobs using gin (meta);
