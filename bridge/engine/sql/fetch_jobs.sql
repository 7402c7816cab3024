-- Claims jobs for one producer. `id = any(array(…))` stays a list of primary-key look-ups whatever the statistics say; a
-- join with the sub-select becomes a hash join over the whole table from some size on. Rows without attempts left, and
-- workers that are not known here ($6), are passed over before the limit counts, so they can't starve a queue.
update {prefix}.oban_jobs
set
  state = 'executing',
  attempt = attempt + 1,
  attempted_at = $3,
  attempted_by = array[$4::text, $5::text]
where id = any(array(
  select id
  from {prefix}.oban_jobs
  where state = 'available'
    and queue = $1
    and attempt < max_attempts
    and ($6::text[] is null or worker = any($6))
  order by priority, scheduled_at, id
  limit $2
  for update skip locked
))
returning {columns}
