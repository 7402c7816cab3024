-- The last minute whose cron jobs were inserted, an instance a row, so that no other leader inserts them again.
create table if not exists {prefix}.bridge_crons (
  name text primary key,
  minute timestamp,
  leader uuid
)
