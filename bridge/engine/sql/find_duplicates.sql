-- For each of many new jobs, one that is the same. The conditions are such that the tables can be joined by hash: an index
-- of JSON is slow to ask thousands of times, the more so while it has new entries in its list of pending ones.
with sought as materialized (
  select
    s.nth,
    s.worker as sought_worker,
    s.queue as sought_queue,
    s.args::jsonb as sought_args,
    s.meta::jsonb as sought_meta,
    s.period as sought_period
  from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::float8[]) with ordinality
    as s (worker, queue, args, meta, period, nth)
),
found as (
  {found}
)
select
  found.nth,
  {columns}
from found
join {prefix}.oban_jobs on id = found.found_id
