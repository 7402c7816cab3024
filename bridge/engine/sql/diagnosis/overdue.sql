-- Jobs whose time came more than $1 seconds ago and that nobody made available; $2 are counted at most. Those without
-- attempts left are another matter.
select
  count(*) as jobs,
  extract(epoch from max(timezone('UTC', clock_timestamp()) - scheduled_at))::float8 as longest,
  (array_agg(distinct queue))[1:10] as queues
from (
  (
    select scheduled_at, queue
    from {prefix}.oban_jobs
    where state = 'scheduled'
      and scheduled_at between '0001-01-01' and timezone('UTC', clock_timestamp()) - $1 * interval '1 second'
      and attempt < max_attempts
    limit $2
  )
  union all
  (
    select scheduled_at, queue
    from {prefix}.oban_jobs
    where state = 'retryable'
      and scheduled_at between '0001-01-01' and timezone('UTC', clock_timestamp()) - $1 * interval '1 second'
      and attempt < max_attempts
    limit $2
  )
) as due
