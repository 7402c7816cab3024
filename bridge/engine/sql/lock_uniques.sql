-- Takes locks until the end of the transaction, in the order given, and waits for each. In a statement of its own: the next
-- one then sees what was committed meanwhile. Jobs are looked for with plans for the very values, as in Oban: a plan for
-- any values reads all jobs where an index would do.
select
  (select set_config('plan_cache_mode', 'force_custom_plan', true)) as planned,
  case
    when l.shared then pg_advisory_xact_lock_shared(l.space, l.key)
    else pg_advisory_xact_lock(l.space, l.key)
  end as locked
from unnest($1::integer[], $2::integer[], $3::boolean[]) as l (space, key, shared)
