-- Tells who holds the lease $1, by the database's clock, as elections do.
select node
from {prefix}.{table}
where name = $1
  and expires_at >= timezone('UTC', clock_timestamp())
