-- Makes what waits in one queue available, up to a time ($2, all where null), for a test that drains it. A row without
-- attempts left stays: available, it would never run, and take a slot of every fetch of an Elixir node.
update {prefix}.oban_jobs
set state = 'available'
where state in ('scheduled', 'retryable')
  and queue = $1
  and attempt < max_attempts
  and ($2::timestamp is null or scheduled_at <= $2)
returning id
