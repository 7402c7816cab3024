-- Jobs that wait though they have no attempts left: nothing ever runs them, and Oban for Elixir locks them with every fetch,
-- each in the place of a job that could run. $1 are counted at most.
select
  state,
  count(*) as jobs,
  (array_agg(id order by id))[1:10] as ids,
  (array_agg(distinct queue))[1:10] as queues
from (
  select id, state::text as state, queue
  from {prefix}.oban_jobs
  where state in ('available', 'scheduled', 'retryable')
    and attempt >= max_attempts
  limit $1
) as found
group by state
order by state
