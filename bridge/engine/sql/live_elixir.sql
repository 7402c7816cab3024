-- The live leases of Elixir's leaders, and for how long they last. Of two clocks that differ, the one that lets a lease live
-- longer counts: it is better to stage too late than beside another stager.
select node, extract(epoch from expires_at - least($1, timezone('UTC', clock_timestamp())))::float8 as remaining
from {prefix}.oban_peers
where expires_at > least($1, timezone('UTC', clock_timestamp()))
  and name not like '%@python'
