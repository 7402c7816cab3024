-- The ids and states of jobs by filters, the oldest first.
select id, state::text
from {prefix}.oban_jobs
where {where}
order by id
limit {limit}
