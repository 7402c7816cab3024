-- One change of one schema at a time. Held to the end of the transaction, so it also works behind a pooler.
select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('oban-bridge schema ' || $1, 0))
