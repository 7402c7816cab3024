-- Jobs of known workers ($1) that have been executing since before $2 by a producer that never beat: nobody can tell
-- whether it is alive.
select
  j.id,
  j.queue,
  j.worker,
  j.state::text,
  coalesce(j.attempted_by[1], '') as node,
  coalesce(j.attempted_by[2], '') as uuid
from {prefix}.oban_jobs as j
where j.state = 'executing'
  and j.attempted_at < $2
  and ($1::text[] is null or j.worker = any($1))
  and not exists (select from {prefix}.bridge_producers as p where p.uuid = j.attempted_by[2])
order by j.id
limit $3
