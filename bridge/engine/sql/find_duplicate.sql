-- A job that is the same as a new one (Oban 2.23: the same conditions, and any one of them).
select {columns}
from {prefix}.oban_jobs
join (
  select
    $2::text as sought_worker,
    $3::text as sought_queue,
    $4::text::jsonb as sought_args,
    $5::text::jsonb as sought_meta,
    $6::float8 as sought_period
) as sought on {same}
limit 1
