-- Many rows that differ in nothing but their args, as most bulk inserts are: one array costs the server half of what
-- nine do. Ids are drawn in the order of the array, so sorted ids are in the order of the input. The times are those of
-- all, unless a trigger gives each row its own: then they differ, and `inserted_times` tells them.
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
  min(scheduled_at) as scheduled_at,
  min(inserted_at) < max(inserted_at) or min(scheduled_at) < max(scheduled_at) as differ
from inserted
