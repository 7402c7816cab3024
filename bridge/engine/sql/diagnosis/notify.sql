-- Sends a text of the caller's to the caller's own channel; nobody else listens there, and no row is touched.
select pg_notify($1, $2)
