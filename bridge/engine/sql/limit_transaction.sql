-- A node that stops in the midst of a transaction ($2), or waits in vain ($1), must not hold up elections or jobs.
select
  set_config('lock_timeout', $1, true),
  set_config('idle_in_transaction_session_timeout', $2, true)
