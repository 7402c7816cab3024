-- The jobs that a producer has claimed, for the case that the answer to its fetch was lost on the way.
select {columns}
from {prefix}.oban_jobs
where state = 'executing'
  and queue = $1
  and attempted_by[2] = $2
order by priority, scheduled_at, id
