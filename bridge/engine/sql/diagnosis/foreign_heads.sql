-- How many of the next $2 jobs of each queue are for other workers than $1, which are those, and how many jobs stand before the
-- first of a known worker: each fetch for known workers reads past these. Queues are found one by one along the fetch index.
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
  count(*) filter (where not h.known) as jobs,
  count(*) filter (where h.known) as known,
  coalesce(min(h.place) filter (where h.known) - 1, count(*)) as ahead,
  (array_agg(distinct h.worker) filter (where not h.known))[1:5] as workers
from queues as q
cross join lateral (
  select
    j.worker,
    j.worker = any($1::text[]) as known,
    row_number() over (order by j.priority, j.scheduled_at, j.id) as place
  from {prefix}.oban_jobs as j
  where j.state = 'available'
    and j.queue = q.queue
  limit $2
) as h
where q.queue is not null
group by q.queue
order by q.queue
limit 1000
