-- Acks plain completions of one attempt number. The guard keeps a late ack off a newer attempt and off another node's
-- row. It is written `(…) is true`, because `state = 'executing'` alone is planned on the state index where ANALYZE saw
-- no executing rows, and then walks dead entries.
update {prefix}.oban_jobs
set
  state = 'completed',
  completed_at = $4
where id = any($1::bigint[])
  and attempt = $2
  and attempted_by[2] = $3
  and (state = 'executing') is true
returning id
