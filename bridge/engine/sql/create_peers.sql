-- Leases where Oban's tables are older than V11, which brought `oban_peers`. Unlogged, as that is: a crash ends every lease.
create unlogged table if not exists {prefix}.bridge_peers (
  name text primary key,
  node text not null,
  started_at timestamp not null,
  expires_at timestamp not null
)
