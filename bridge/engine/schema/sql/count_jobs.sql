select
  state::text as state,
  count(*) as jobs
from {prefix}.oban_jobs
group by state
