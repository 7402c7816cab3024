-- The database's clock, and since when the server has been running.
select
  timezone('UTC', clock_timestamp()) as now,
  timezone('UTC', pg_postmaster_start_time()) as server_since
