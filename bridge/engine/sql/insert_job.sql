-- One row, its notification in the same statement: both become visible at commit, or neither.
-- Columns that Elixir leaves to their defaults are left to them here too.
with inserted as (
  insert into {prefix}.oban_jobs (state, queue, worker, args, meta, tags, max_attempts, priority, scheduled_at)
  values (
    $1::text::{prefix}.oban_job_state, $2::text, $3::text, $4::text::jsonb, $5::text::jsonb, $6::text[], $7::integer,
    $8::integer,
    coalesce($9::timestamp, timezone('UTC', now()))
  )
  returning id, state, queue, inserted_at, scheduled_at
)
select
  id,
  inserted_at,
  scheduled_at,
  case
    when $10::text is not null and state = 'available'
    then pg_notify($10::text, jsonb_build_object('queue', queue)::text)
  end as announced
from inserted
