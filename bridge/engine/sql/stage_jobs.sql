-- Makes due jobs available ($1: may this node stage? The guard asks whether an Elixir node does), announces their queues, and tells which of this node's queues
-- ($4) have something to fetch. Rows are locked and checked again, so that two of these can't undo each other.
with due as (
  select id
  from {prefix}.oban_jobs
  where $1::boolean
    and {guard}
    and state in ('scheduled', 'retryable')
    and scheduled_at <= $2
    and attempt < max_attempts
    and {which}
  order by scheduled_at desc, id desc
  limit $3
  for update skip locked
),
staged as (
  update {prefix}.oban_jobs as j
  set state = 'available'
  from due
  where j.id = due.id
    and j.state in ('scheduled', 'retryable')
  returning j.queue
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
where exists (select from {prefix}.oban_jobs as j where j.state = 'available' and j.queue = mine.queue)
