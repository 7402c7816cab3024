-- The next job of each queue that has any available, how long that has been so, and how many wait ($1 are counted at most).
-- Queues are found one by one along the fetch index, so their number counts and not that of the jobs.
with recursive queues as (
  (
    select queue
    from {prefix}.oban_jobs
    where state = 'available'
    order by queue
    limit 1
  )
  union all
  select (
    select j.queue
    from {prefix}.oban_jobs as j
    where j.state = 'available'
      and j.queue > q.queue
    order by j.queue
    limit 1
  )
  from queues as q
  where q.queue is not null
)
select
  q.queue,
  head.id,
  head.worker,
  extract(epoch from timezone('UTC', clock_timestamp()) - greatest(head.scheduled_at, head.attempted_at))::float8
    as waited,
  (
    select count(*)
    from (
      select
      from {prefix}.oban_jobs as j
      where j.state = 'available'
        and j.queue = q.queue
      limit $1
    ) as waiting
  ) as jobs,
  exists (
    select
    from {prefix}.oban_jobs as j
    where j.state = 'executing'
      and j.queue = q.queue
  ) as running
from queues as q
cross join lateral (
  select j.id, j.worker, j.scheduled_at, j.attempted_at
  from {prefix}.oban_jobs as j
  where j.state = 'available'
    and j.queue = q.queue
    and j.attempt < j.max_attempts
    and j.scheduled_at > '-infinity'
  order by j.priority, j.scheduled_at, j.id
  limit 1
) as head
where q.queue is not null
limit 1000
