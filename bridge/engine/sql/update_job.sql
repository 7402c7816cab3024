-- Writes the columns that a person may change; a given time makes the job scheduled. Meta is merged, never replaced.
update {prefix}.oban_jobs
set
  args = coalesce($2::text::jsonb, args),
  meta = case
    when $3::text is null then meta
    when jsonb_typeof(meta) = 'object' then meta || $3::jsonb
    else $3::jsonb
  end,
  max_attempts = coalesce($4, max_attempts),
  priority = coalesce($5, priority),
  queue = coalesce($6, queue),
  tags = coalesce($7::text[], tags),
  worker = coalesce($8, worker),
  scheduled_at = coalesce($9::timestamp, scheduled_at),
  state = case when $9::timestamp is null then state else 'scheduled' end
where id = $1
returning {columns}
