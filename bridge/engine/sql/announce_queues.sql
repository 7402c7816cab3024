-- Tells every node that these queues have new jobs; delivered at commit.
select pg_notify($1, jsonb_build_object('queue', queue)::text)
from unnest($2::text[]) as queue
