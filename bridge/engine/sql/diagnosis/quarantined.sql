-- Jobs that were set aside because their args break their contract; $2 are counted at most.
select
  worker,
  coalesce(case when jsonb_typeof(meta) = 'object' then meta ->> 'quarantined_from' end, '') as came_from,
  count(*) as jobs,
  (array_agg(id order by id))[1:5] as ids
from (
  select id, worker, meta
  from {prefix}.oban_jobs
  where state = 'available'
    and queue = $1
  limit $2
) as aside
group by 1, 2
order by 1, 2
