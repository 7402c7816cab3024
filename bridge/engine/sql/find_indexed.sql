-- The stored jobs that keep new ones out of the unique index.
select
  sought.nth,
  {columns}
from (
  select
    s.nth,
    {prefix}.bridge_unique_key(
      s.state::{prefix}.oban_job_state, s.worker, s.queue, s.args::jsonb, s.meta::jsonb
    ) as sought_key
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) with ordinality
    as s (state, queue, worker, args, meta, nth)
) as sought
join {prefix}.oban_jobs
  on {prefix}.bridge_unique_key(state, worker, queue, args, meta) = sought.sought_key
  and meta ? 'bridge_unique'
