-- Many rows that differ in nothing but their args, as most bulk inserts are: one array costs the server half of what
-- nine do. Ids are drawn in the order of the array, so sorted ids are in the order of the input.
with inserted as (
  insert into {prefix}.oban_jobs (state, queue, worker, args, meta, tags, max_attempts, priority, scheduled_at)
  select
    $1::text::{prefix}.oban_job_state,
    $2::text,
    $3::text,
    j.args::jsonb,
    $5::text::jsonb,
    $6::text[],
    $7::integer,
    $8::integer,
    coalesce($9::timestamp, timezone('UTC', now()))
  from unnest($4::text[]) with ordinality as j (args, nth)
  order by j.nth
  returning id, inserted_at, scheduled_at
)
select
  array_agg(id order by id) as ids,
  min(inserted_at) as inserted_at,
  min(scheduled_at) as scheduled_at
from inserted
