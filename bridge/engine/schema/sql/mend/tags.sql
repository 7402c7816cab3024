-- Rewrites the table under an exclusive lock.
alter table {prefix}.oban_jobs
  alter column tags drop default,
  alter column tags type text[],
  alter column tags set default array[]::text[];
