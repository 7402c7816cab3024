-- Acks every other outcome, a row each. A row that was cancelled while it ran stays cancelled and only gains the error.
-- A row that has this outcome already is told of again, unchanged: the answer to the first write may have been lost.
-- A row that somebody holds is left for later, as with completions. Rows are looked up by their keys, one by one: with `free` as
-- a table to be joined, the plan is a scan of all jobs, or compares each outcome with each row. That ids have bounds is true of
-- all, and makes the planner expect few.
with given as (
  select a.*
  from unnest(
    $2::bigint[], $3::integer[], $4::text[], $5::timestamp[], $6::timestamp[], $7::text[], $8::text[]
  ) as a (id, attempt, state, at, scheduled_at, error, meta)
  cross join lateral (
    select j.id
    from {prefix}.oban_jobs as j
    where j.id = a.id
    limit 1
    for update skip locked
  ) as free
  where a.id between '-9223372036854775808'::bigint and 9223372036854775807
),
written as (
  update {prefix}.oban_jobs as j
  set
    state = case when j.state = 'executing' then a.state::{prefix}.oban_job_state else j.state end,
    errors = case
      when a.error is null then j.errors
      when j.state <> 'executing' and to_jsonb(j.errors) @> jsonb_build_array(a.error::jsonb) then j.errors
      else {errors}
    end,
    meta = case
      when a.meta is null then j.meta
      when jsonb_typeof(j.meta) = 'object' then j.meta || a.meta::jsonb
      else a.meta::jsonb
    end,
    max_attempts = case
      when a.state = 'scheduled' and j.state = 'executing' then least(j.max_attempts, $9::integer - 1) + 1
      else j.max_attempts
    end,
    scheduled_at = case when j.state = 'executing' then coalesce(a.scheduled_at, j.scheduled_at) else j.scheduled_at end,
    completed_at = case when a.state = 'completed' and j.state = 'executing' then a.at else j.completed_at end,
    cancelled_at = case when a.state = 'cancelled' then a.at else j.cancelled_at end,
    discarded_at = case when a.state = 'discarded' and j.state = 'executing' then a.at else j.discarded_at end
  from given as a
  where j.id = a.id
    and j.attempt = a.attempt
    and j.attempted_by[2] = $1
    and (
      (j.state = 'executing') is true
      or ((j.state = 'cancelled') is true and a.error is not null)
      or ((j.state::text = a.state) is true and j.scheduled_at = coalesce(a.scheduled_at, j.scheduled_at))
    )
  returning j.id, j.attempt
)
select
  array_agg(id) as ids,
  array_agg(attempt) as attempts
from written
