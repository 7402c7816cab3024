-- The leases that have not run out: one an instance name, held by its leader.
select name, node, started_at, expires_at
from {prefix}.oban_peers
where expires_at > $1
order by name
