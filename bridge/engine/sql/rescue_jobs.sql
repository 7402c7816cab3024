-- Makes jobs of dead producers available again, or discards those without attempts left (Oban 2.23: the same columns).
-- A row that somebody holds is left for the next round: it may be the outcome of a node that was dead only to the eye, and a
-- producer's row may be what its heartbeat waits for.
with orphaned as (
  {orphans}
  for update of j skip locked
  for share of p skip locked
)
update {prefix}.oban_jobs as j
set
  state = orphaned.state::{prefix}.oban_job_state,
  discarded_at = case when orphaned.state = 'discarded' then $1::timestamp else j.discarded_at end
from orphaned
where j.id = orphaned.id
  and (j.state = 'executing') is true
  and {which}
returning j.id, j.queue, j.worker, j.state::text, orphaned.node, orphaned.uuid
