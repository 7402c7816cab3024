-- Publishes each payload; PostgreSQL delivers equal ones of a transaction once.
select pg_notify($1, payload)
from unnest($2::text[]) as payload
