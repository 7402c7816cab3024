-- Which of these attempts have an outcome to be written still: their rows were held by somebody else just now.
select
  id,
  attempt,
  state::text
from {prefix}.oban_jobs
where id = any($1::bigint[])
  and attempted_by[2] = $2
  and (state in ('executing', 'cancelled')) is true
