-- The server, the session and its role, as the server sees them. Behind a pooler the session is the pooler's.
select
  current_setting('server_version') as version,
  current_setting('server_version_num')::integer / 10000 as major,
  current_user::text as role,
  current_database()::text as database,
  current_setting('server_encoding') as encoding,
  pg_is_in_recovery() as standby,
  current_setting('default_transaction_read_only')::boolean as read_only,
  pg_backend_pid() as pid,
  coalesce(host(inet_client_addr()), '') as client,
  coalesce((select ssl from pg_catalog.pg_stat_ssl where pid = pg_backend_pid()), false) as tls,
  coalesce((select s.version || ', ' || s.cipher from pg_catalog.pg_stat_ssl as s where s.pid = pg_backend_pid()), '')
    as cipher
