-- Remembers the minute whose jobs this transaction inserts, and which leader did it.
update {prefix}.bridge_crons
set
  minute = $2,
  leader = $3::text::uuid
where name = $1
