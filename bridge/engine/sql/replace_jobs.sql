-- Changes stored jobs as their duplicates say for the state in which each is now, locked in one order. A rule for the unique
-- index outlives its meta, and a job keeps the attempt that it is in or waits for.
with target as (
  select
    j.id as target_id,
    c.changes -> j.state::text as new
  from unnest($1::bigint[], $2::text[]) as given (job_id, text)
  cross join lateral (select given.text::jsonb as changes) as c
  join {prefix}.oban_jobs as j on j.id = given.job_id
  order by j.id
  for no key update of j
)
update {prefix}.oban_jobs
set
  worker = coalesce(new ->> 'worker', worker),
  queue = coalesce(new ->> 'queue', queue),
  args = coalesce(new -> 'args', args),
  meta = case
    when not new ? 'meta' then meta
    when meta ? 'bridge_unique' then jsonb_build_object('bridge_unique', meta -> 'bridge_unique') || (new -> 'meta')
    else new -> 'meta'
  end,
  tags = case when new ? 'tags' then array(select jsonb_array_elements_text(new -> 'tags')) else tags end,
  priority = coalesce((new ->> 'priority')::integer, priority),
  max_attempts = case
    when not new ? 'max_attempts' then max_attempts
    else greatest(
      (new ->> 'max_attempts')::integer,
      attempt + case when state::text in ('suspended', 'available', 'scheduled', 'retryable') then 1 else 0 end
    )
  end,
  scheduled_at = coalesce((new ->> 'scheduled_at')::timestamp, scheduled_at)
from target
where id = target_id
  and new is not null
returning {columns}
