-- When the first job in the order of ids ended that has: the primary key finds it without reading on.
select coalesce(completed_at, cancelled_at, discarded_at, scheduled_at) as ended_at
from {prefix}.oban_jobs
where state in ('completed', 'cancelled', 'discarded')
order by id
limit 1
