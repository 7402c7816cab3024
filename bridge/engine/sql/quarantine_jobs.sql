-- Moves jobs whose args break their contract to a queue that nobody serves, as if this attempt had not been made; meta
-- gains where they came from, and loses the rule for the unique index, since jobs of all queues meet here. A row that was
-- cancelled meanwhile stays cancelled and only gains the error, and one that somebody holds is left for later, as with other
-- outcomes.
with free as (
  select id
  from {prefix}.oban_jobs
  where id = any($2::bigint[])
  for update skip locked
),
written as (
  update {prefix}.oban_jobs as j
  set
    state = case when j.state = 'executing' then 'available' else j.state end,
    queue = case when j.state = 'executing' then $6 else j.queue end,
    attempt = case when j.state = 'executing' then j.attempt - 1 else j.attempt end,
    errors = case
      when j.state <> 'executing' and to_jsonb(j.errors) @> jsonb_build_array(a.error::jsonb) then j.errors
      else {errors}
    end,
    meta = case
      when j.state <> 'executing' then j.meta
      when jsonb_typeof(j.meta) = 'object' then j.meta - 'bridge_unique' || a.meta::jsonb
      else a.meta::jsonb
    end
  from unnest($2::bigint[], $3::integer[], $4::text[], $5::text[]) as a (id, attempt, error, meta)
  join free on free.id = a.id
  where j.id = free.id
    and j.attempt = a.attempt
    and j.attempted_by[2] = $1
    and (j.state in ('executing', 'cancelled')) is true
  returning j.id, a.attempt
)
select
  array_agg(id) as ids,
  array_agg(attempt) as attempts
from written
