-- Hands back jobs that this producer stopped before their end; one without attempts left is discarded (as a rescue does).
-- Those that it had not begun ($5) lose no attempt: they may have one more, as after a snooze.
-- Only the attempt that was stopped: a producer whose jobs were rescued while it was silent may run a later one of the same job.
-- A row that somebody holds is left for later, and must not hold up the others; `ack_jobs` says why rows are looked up so.
with given as (
  select a.*
  from unnest($1::bigint[], $2::integer[]) as a (id, attempt)
  cross join lateral (
    select j.id
    from {prefix}.oban_jobs as j
    where j.id = a.id
    limit 1
    for update skip locked
  ) as free
  where a.id between '-9223372036854775808'::bigint and 9223372036854775807
)
update {prefix}.oban_jobs as j
set
  state = case when $5 or j.attempt < j.max_attempts then 'available' else 'discarded' end::{prefix}.oban_job_state,
  max_attempts = case when $5 then least(j.max_attempts, $6::integer - 1) + 1 else j.max_attempts end,
  discarded_at = case when $5 or j.attempt < j.max_attempts then j.discarded_at else $4 end
from given as a
where j.id = a.id
  and j.attempt = a.attempt
  and j.attempted_by[2] = $3
  and (j.state = 'executing') is true
returning j.id, j.queue, j.state::text
