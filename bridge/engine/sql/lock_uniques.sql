-- Takes locks until the end of the transaction, in the order given, and waits for each. In a statement of its own: the next
-- one then sees what was committed meanwhile. Jobs are looked for with plans for the very values, as in Oban: a plan for
-- any values reads all jobs where an index would do. Where a node's connection is lost, nobody waits for longer than $4:
-- null leaves the transaction to its owner, and a shorter limit of the database's own is kept.
select
  (select set_config('plan_cache_mode', 'force_custom_plan', true)) as planned,
  (
    select set_config('idle_in_transaction_session_timeout', $4::text, true)
    where
      $4::text is not null
      and current_setting('idle_in_transaction_session_timeout')::interval not between '1 ms' and $4::text::interval
  ) as limited,
  case
    when l.shared then pg_advisory_xact_lock_shared(l.space, l.key)
    else pg_advisory_xact_lock(l.space, l.key)
  end as locked
from unnest($1::integer[], $2::integer[], $3::boolean[]) as l (space, key, shared)
