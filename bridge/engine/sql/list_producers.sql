-- The producers of Python's queues that are alive: they have beaten within the time that they gave themselves,
-- which is a day at most.
select uuid, name, node, queue, started_at, beat_at
from {prefix}.bridge_producers
where beat_at > timezone('UTC', clock_timestamp()) - least(greatest(rescue_after, 0), 86400) * interval '1 second'
order by queue, node, uuid
