-- Hands back jobs that this producer stopped before their end; one without attempts left is discarded (as a rescue does).
update {prefix}.oban_jobs
set
  state = case when attempt < max_attempts then 'available' else 'discarded' end::{prefix}.oban_job_state,
  discarded_at = case when attempt < max_attempts then discarded_at else $3 end
where id = any($1::bigint[])
  and attempted_by[2] = $2
  and (state = 'executing') is true
returning id, queue, state::text
