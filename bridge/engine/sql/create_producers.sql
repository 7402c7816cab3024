-- The producers of Python's queues, each alive as long as it beats; a job tells by `attempted_by` whose it is. Logged,
-- unlike the leases: the jobs of nodes that die together with the database must be found afterwards. The free room in
-- each page keeps the beats cheap.
create table if not exists {prefix}.bridge_producers (
  uuid text primary key,
  name text not null,
  node text not null,
  queue text not null,
  rescue_after double precision not null,
  started_at timestamp not null,
  beat_at timestamp not null
)
with (fillfactor = 50)
