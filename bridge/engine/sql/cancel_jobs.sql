-- Cancels what has not ended, and tells the owners of running jobs. The rows are locked first, so that the old state is
-- the one that was overwritten.
with target as (
  select id, state
  from {prefix}.oban_jobs
  where {where}
    and state not in ('cancelled', 'completed', 'discarded')
  order by id
  for update
),
cancelled as (
  update {prefix}.oban_jobs as j
  set
    state = 'cancelled',
    cancelled_at = {now}
  from target
  where j.id = target.id
  returning j.id, target.state as old_state
)
select
  id,
  case
    when old_state = 'executing' and {channel} is not null
    then pg_notify({channel}, jsonb_build_object('action', 'pkill', 'job_id', id)::text)
  end as announced
from cancelled
order by id
