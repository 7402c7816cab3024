alter table {prefix}.oban_jobs
  drop constraint if exists positive_max_attempts,
  drop constraint if exists attempt_range,
  add constraint positive_max_attempts check (max_attempts > 0),
  add constraint attempt_range check (attempt >= 0 and attempt <= max_attempts);
