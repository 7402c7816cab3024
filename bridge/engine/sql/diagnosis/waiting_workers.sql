-- Which workers' jobs wait in which queues: at most $1 jobs of each queue and state are looked at, so that a queue with
-- millions doesn't hide the others. `unheard` are those whose last failure says that no such worker was known where they ran.
with recursive queues as (
  select s.state, first.queue
  from (
    select state::text::{prefix}.oban_job_state as state
    from unnest(array['available', 'scheduled', 'retryable']) as state
  ) as s
  cross join lateral (
    select j.queue
    from {prefix}.oban_jobs as j
    where j.state = s.state
    order by j.queue
    limit 1
  ) as first
  union all
  select q.state, (
    select j.queue
    from {prefix}.oban_jobs as j
    where j.state = q.state
      and j.queue > q.queue
    order by j.queue
    limit 1
  )
  from queues as q
  where q.queue is not null
)
select
  q.queue,
  w.worker,
  count(*) as jobs,
  count(*) filter (where w.state = 'available') as available,
  count(*) filter (where w.attempt > 0 and w.failure ~ '(unknown worker: |module is not a worker: )') as refused,
  (array_agg(w.id order by w.id))[1:5] as ids,
  max(w.looked) >= $1 as more
from queues as q
cross join lateral (
  select
    j.id,
    j.worker,
    j.state::text as state,
    j.attempt,
    case when j.attempt > 0 then to_jsonb(j.errors) -> -1 ->> 'error' end as failure,
    row_number() over () as looked
  from {prefix}.oban_jobs as j
  where j.state = q.state
    and j.queue = q.queue
  limit $1
) as w
where q.queue is not null
group by q.queue, w.worker
order by q.queue, w.worker
limit 1000
