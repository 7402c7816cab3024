-- Many rows at once. Ids are drawn in the order of `nth`, so sorted ids are in the order of the input.
insert into {prefix}.oban_jobs (state, queue, worker, args, meta, tags, max_attempts, priority, scheduled_at)
select
  j.state::{prefix}.oban_job_state,
  j.queue,
  j.worker,
  j.args::jsonb,
  j.meta::jsonb,
  -- A two-dimensional array can't hold lists of different lengths, so tags travel as JSON.
  case when j.tags = '[]' then '{}'::text[] else array(select jsonb_array_elements_text(j.tags::jsonb)) end,
  j.max_attempts,
  j.priority,
  coalesce(j.scheduled_at, timezone('UTC', now()))
from unnest(
  $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::integer[], $8::integer[], $9::timestamp[]
) with ordinality as j (state, queue, worker, args, meta, tags, max_attempts, priority, scheduled_at, nth)
order by j.nth
returning id, inserted_at, scheduled_at
