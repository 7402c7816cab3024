-- How many jobs each version of each contract has in each state, and until when they wait. A time that was given in
-- milliseconds lies beyond Python's years.
select
  worker,
  meta->>'contract' as contract,
  state::text as state,
  count(*) as jobs,
  least(max(scheduled_at), '9999-12-31 23:59:59.999999') as last_scheduled_at
from {prefix}.oban_jobs
group by worker, meta->>'contract', state
order by worker, contract nulls first, state
