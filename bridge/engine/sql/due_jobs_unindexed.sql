-- What `due_jobs` finds, where the table hasn't the index that it goes by, or has null priorities, which a comparison of rows
-- passes over: up to version 9, and on tables that lost the index.
select job.id
from {prefix}.oban_jobs as job
where state in ('scheduled', 'retryable')
  and scheduled_at <= {until}
  and attempt < max_attempts
  and id <> all({held})
order by scheduled_at desc, id desc
{lock}
