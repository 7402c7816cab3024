-- Claims jobs for one producer. `id = any(array(…))` stays a list of primary-key look-ups whatever the statistics say; a
-- join with the sub-select becomes a hash join over the whole table from some size on. Rows without attempts left, and
-- workers that are not known here ($6), are passed over before the limit counts, so they can't starve a queue.
-- `once` is one row that the planner takes for a hundred, so that it reads in the index's order and never sorts: where the last
-- ANALYZE saw no available rows, it expects one, and to sort that one it would read all that wait, and the dead.
-- The limit is a sub-select, so that a plan made for one limit is no better than that for any, and the server keeps it.
update {prefix}.oban_jobs
set
  state = 'executing',
  attempt = attempt + 1,
  attempted_at = $3,
  attempted_by = array[$4::text, $5::text]
where id = any(array(
  select job.id
  from {prefix}.oban_jobs as job
  cross join jsonb_array_elements('[1]') as once
  where job.state = 'available'
    and job.queue = $1
    and job.attempt < job.max_attempts
    and ($6::text[] is null or job.worker in (select unnest($6)))
  order by job.priority, job.scheduled_at, job.id
  limit (select $2::integer)
  for update of job skip locked
))
returning {claimed}
