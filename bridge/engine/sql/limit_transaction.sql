-- A node that stops in the midst of a transaction, or waits in vain, must not hold up elections.
select
  set_config('lock_timeout', '300ms', true),
  set_config('idle_in_transaction_session_timeout', '2s', true)
