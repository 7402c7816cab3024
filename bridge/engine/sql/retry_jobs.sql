-- Makes jobs available again, with at least one attempt left; what happened so far is kept.
with target as (
  select id
  from {prefix}.oban_jobs
  where {where}
    and state not in ('available', 'executing')
  order by id
  for update
)
update {prefix}.oban_jobs as j
set
  state = 'available',
  max_attempts = greatest(j.max_attempts, j.attempt + 1),
  scheduled_at = {now},
  completed_at = null,
  cancelled_at = null,
  discarded_at = null
from target
where j.id = target.id
returning j.id, j.queue
