-- Claims jobs as `fetch_jobs` does, by the optional index of (queue, worker, priority, scheduled_at, id) of available jobs: it
-- reads the known workers' own rows, however many of others stand before them. First it counts how many of the next $2 are
-- each worker's, without a lock; then it locks so many of each, so that no more is locked than is taken.
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
  select claimed.id
  from (
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
  ) as share
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
  ) as claimed
  where share.worker = any($6)
    and share.jobs between 1 and $2
))
returning {claimed}
