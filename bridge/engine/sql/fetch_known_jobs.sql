-- Claims jobs as `fetch_jobs` does, by the optional index of (queue, worker, priority, scheduled_at, id) of available jobs: it
-- reads the known workers' own rows, however many of others stand before them. First it counts how many of the next $2 are
-- each worker's, without a lock; then it locks so many of each, so that no more is locked than is taken. Where it got fewer than
-- it counted, others hold or took some of these: the missing ones are looked for among all workers' next, or else a row that
-- somebody holds would keep the jobs behind it from being fetched.
-- `between`, where `=` is meant, leaves the order by worker to the index alone: with `=`, the planner may take the index of
-- fetches, and pass by all the others' rows for each worker. `once` is explained in `fetch_jobs`; the first is taken for a
-- thousand rows, since this index looks dearer than that one. What is asked of `share` is true of all: it makes the planner
-- expect few of them, whose cost wouldn't be worth a compilation (JIT).
update {prefix}.oban_jobs
set
  state = 'executing',
  attempt = attempt + 1,
  attempted_at = $3,
  attempted_by = array[$4::text, $5::text]
where id = any(array(
  with share as materialized (
    select next.worker, count(*) as jobs
    from (
      select head.worker
      from (select distinct unnest($6::text[]) as worker) as known
      cross join lateral (
        select job.worker, job.priority, job.scheduled_at, job.id
        from {prefix}.oban_jobs as job
        cross join generate_series(1, (select 1)) as once
        where job.state = 'available'
          and job.queue = $1
          and job.worker between known.worker and known.worker
          and job.attempt < job.max_attempts
        order by job.worker, job.priority, job.scheduled_at, job.id
        limit (select $2::integer)
      ) as head
      order by head.priority, head.scheduled_at, head.id
      limit (select $2::integer)
    ) as next
    group by next.worker
  ),
  claimed as materialized (
    select first.id
    from share
    cross join lateral (
      select job.id
      from {prefix}.oban_jobs as job
      cross join jsonb_array_elements('[1]') as once
      where job.state = 'available'
        and job.queue = $1
        and job.worker between share.worker and share.worker
        and job.attempt < job.max_attempts
      order by job.worker, job.priority, job.scheduled_at, job.id
      limit share.jobs
      for update of job skip locked
    ) as first
    where share.worker = any($6)
      and share.jobs between 1 and $2
  ),
  missing as materialized (
    select coalesce((select sum(jobs) from share), 0) > count(*) as any_held, $2 - count(*) as jobs
    from claimed
  ),
  others as (
    select later.id
    from (select distinct unnest($6::text[]) as worker) as known
    cross join lateral (
      select job.id, job.priority, job.scheduled_at
      from {prefix}.oban_jobs as job
      cross join jsonb_array_elements('[1]') as once
      where job.state = 'available'
        and job.queue = $1
        and job.worker between known.worker and known.worker
        and job.attempt < job.max_attempts
        and job.id <> all(array(select id from claimed))
      order by job.worker, job.priority, job.scheduled_at, job.id
      limit (select jobs from missing)
      for update of job skip locked
    ) as later
    where (select any_held from missing)
      and known.worker = any($6)
    order by later.priority, later.scheduled_at, later.id
    limit (select jobs from missing)
  )
  select id from claimed
  union all
  select id from others
))
returning {claimed}
