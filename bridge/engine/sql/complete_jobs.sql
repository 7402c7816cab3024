-- Acks plain completions of one attempt number. The guard keeps a late ack off a newer attempt and off another node's
-- row. It is written `(…) is true`, because a plain test of the state is planned on the state index where ANALYZE saw
-- no executing rows, and then walks dead entries. A row that this attempt completed before is told of again, unchanged:
-- the answer to the first write may have been lost. A row that somebody holds is left for later: it must not hold up
-- the others, and whoever never waits can't deadlock.
-- `any(array(select …))` hides how many they are, which makes a scan of the table look cheaper than so many look-ups.
-- What was written comes back as two arrays: a row each would cost the client as much as all else of an ack.
with written as (
  update {prefix}.oban_jobs
  set
    state = 'completed',
    completed_at = case when state = 'executing' then $4 else completed_at end
  where id = any(array(
    select id
    from {prefix}.oban_jobs
    where id = any(array(select unnest($1::bigint[])))
      and attempt = $2
      and attempted_by[2] = $3
      and (state in ('executing', 'completed')) is true
    for update skip locked
  ))
  returning id, attempt
)
select
  array_agg(id) as ids,
  array_agg(attempt) as attempts
from written
