-- What staging would make available, the latest first, with no more than {most} of a place: a state, queue and priority that
-- jobs wait in. {lock} may leave out what somebody holds, before these count. Places are found by a probe of the index of
-- fetches each, and what is due in one is the beginning of a range there, however many jobs wait for their time. `once` is
-- explained in `fetch_jobs`. The last condition is true of all places: it makes the planner expect few of them, whose cost
-- wouldn't be worth a compilation (JIT).
with recursive places (state, queue, priority) as (
  select wanted.state, first.queue, first.priority
  from (
    select unnest(array['scheduled', 'retryable'])::{prefix}.oban_job_state as state
  ) as wanted
  cross join lateral (
    select job.queue, job.priority
    from {prefix}.oban_jobs as job
    cross join jsonb_array_elements('[1]') as once
    where job.state = wanted.state
    order by job.queue, job.priority
    limit 1
  ) as first
  union all
  select place.state, next.queue, next.priority
  from places as place
  cross join lateral (
    select job.queue, job.priority
    from {prefix}.oban_jobs as job
    cross join jsonb_array_elements('[1]') as once
    where job.state = place.state
      and (job.queue, job.priority) > (place.queue, place.priority)
    order by job.queue, job.priority
    limit 1
  ) as next
)
select due.id
from places as place
cross join lateral (
  select job.id, job.scheduled_at
  from {prefix}.oban_jobs as job
  cross join jsonb_array_elements('[1]') as once
  where job.state = place.state
    and job.queue = place.queue
    and job.priority = place.priority
    and job.scheduled_at <= {until}
    and job.attempt < job.max_attempts
    and job.id <> all({held})
  order by job.scheduled_at desc, job.id desc
  limit {most}
  {lock}
) as due
where place.state in ('scheduled', 'retryable')
order by due.scheduled_at desc, due.id desc
