-- The database's clock.
select timezone('UTC', clock_timestamp()) as now
