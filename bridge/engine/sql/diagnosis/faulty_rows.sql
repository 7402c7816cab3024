-- Rows that no node should have written, by fault: the first $1 of each state that is still to run, and the newest $1 of all.
-- `looked_at` tells how many rows that were; it is there even where nothing was found.
with looked as (
  (select id from {prefix}.oban_jobs where state = 'available' limit $1)
  union
  (select id from {prefix}.oban_jobs where state = 'executing' limit $1)
  union
  (select id from {prefix}.oban_jobs where state = 'scheduled' limit $1)
  union
  (select id from {prefix}.oban_jobs where state = 'retryable' limit $1)
  union
  (select id from {prefix}.oban_jobs order by id desc limit $1)
),
jobs as (
  select j.*, to_jsonb(j.errors) as failures
  from {prefix}.oban_jobs as j
  where j.id = any(array(select id from looked))
),
faults as (
  select
    id,
    state::text as state,
    unnest(array[
      case when args is null or jsonb_typeof(args) <> 'object' then 'args' end,
      case when jsonb_typeof(meta) <> 'object' then 'meta' end,
      case when jsonb_typeof(failures) <> 'array' or failures @? 'strict $[*] ? (@.type() != "object")' then 'errors' end,
      case
        when 'infinity' in (inserted_at, scheduled_at, attempted_at, completed_at, cancelled_at, discarded_at)
          or '-infinity' in (inserted_at, scheduled_at, attempted_at, completed_at, cancelled_at, discarded_at)
          then 'infinite'
      end,
      case
        when failures @? 'lax $[*] ? (@.type() == "object") ? (!(exists(@.at ? (@ like_regex
          "^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})$"))))'
          then 'error_at'
      end,
      case when failures @? 'lax $[*] ? (@.type() == "object") ? (!(exists(@.error ? (@.type() == "string"))))' then 'error_text' end,
      case when state = 'executing' and (attempted_at is null or attempt < 1 or attempted_by[1] is null) then 'no_start' end,
      case
        when state = 'completed' and completed_at is null
          or state = 'cancelled' and cancelled_at is null
          or state = 'discarded' and discarded_at is null
          then 'no_end'
      end,
      case when attempt < 0 or max_attempts < 1 or attempt > max_attempts then 'attempts' end,
      case when priority is null or priority not between 0 and 9 then 'priority' end,
      case when char_length(queue) not between 1 and 127 or char_length(worker) not between 1 and 127 then 'names' end
    ]) as fault
  from jobs
)
select
  looked_at.jobs as looked_at,
  found.fault,
  found.jobs,
  found.states,
  found.ids
from (select count(*) as jobs from looked) as looked_at
left join (
  select
    fault,
    count(*) as jobs,
    array_agg(distinct state) as states,
    (array_agg(id order by id))[1:10] as ids
  from faults
  where fault is not null
  group by fault
) as found on true
order by found.fault
