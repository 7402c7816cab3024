-- Makes due jobs available ($6: may this node stage? The guard asks whether an Elixir node does), announces their queues, and
-- tells which of this node's queues ($4) have something to fetch. $1 now, $2 how many, $5 the channel of new jobs, or null.
-- Rows are locked and checked again, so that two of these can't undo each other; those that somebody holds are left out where
-- they are found, before the limit counts. `(…) is true` and `id = any(array(…))` keep to the primary key whatever the
-- statistics say.
with due as (
  select id
  from {prefix}.oban_jobs
  where id = any(array(
      select found.id
      from (
        {due}
      ) as found
      where $6::boolean
        and {guard}
      limit $2
    ))
    and (state in ('scheduled', 'retryable')) is true
    and scheduled_at <= $1
    and attempt < max_attempts
  order by scheduled_at desc, id desc
  limit $2
  for update skip locked
),
staged as (
  update {prefix}.oban_jobs
  set state = 'available'
  where id = any(array(select id from due))
    and (state in ('scheduled', 'retryable')) is true
  returning queue
),
staged_queues as (
  select queue, count(*) as jobs
  from staged
  group by queue
)
select
  queue,
  jobs,
  case when $5::text is not null then pg_notify($5, jsonb_build_object('queue', queue)::text) end as announced
from staged_queues
union all
select
  mine.queue,
  0,
  null
from unnest($4::text[]) as mine (queue)
cross join lateral (
  select
  from {prefix}.oban_jobs as job
  cross join jsonb_array_elements('[1]') as once
  where job.state = 'available'
    and job.queue = mine.queue
  order by job.priority, job.scheduled_at, job.id
  limit 1
) as head
