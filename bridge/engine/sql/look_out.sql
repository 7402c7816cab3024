-- What a stager has to know, in one round trip, with the word that it spreads. $1 now, $2 this node's queues, $3 may this
-- node stage?, $4 the channel of new jobs, $5 that of stagers, $6 what they are told; channels may be null.
-- Where this node stages, every queue with available jobs is announced, as an Elixir leader does it: nobody else asks.
-- Then queues are found by a probe of the index each, however many jobs wait; `once` is explained in `fetch_jobs`.
-- While a lease of Elixir's lives, only jobs count as due that have been so for $7 seconds (none where null): its leader
-- stages every second, so these tell that it is dead, frozen or cut off.
with recursive elixir as (
  {elixir}
),
horizon as (
  select
    case
      when not exists (select from elixir) then $1
      else least($1, timezone('UTC', statement_timestamp())) - $7::float8 * interval '1 second'
    end as until
),
waiting (queue) as (
  (
    select job.queue
    from {prefix}.oban_jobs as job
    cross join jsonb_array_elements('[1]') as once
    where $3::boolean
      and job.state = 'available'
    order by job.queue
    limit 1
  )
  union all
  select (
    select later.queue
    from {prefix}.oban_jobs as later
    cross join jsonb_array_elements('[1]') as once
    where later.state = 'available'
      and later.queue > waiting.queue
    order by later.queue
    limit 1
  )
  from waiting
  where waiting.queue is not null
),
mine as (
  select wanted.queue
  from unnest($2::text[]) as wanted (queue)
  cross join lateral (
    select
    from {prefix}.oban_jobs as job
    cross join jsonb_array_elements('[1]') as once
    where job.state = 'available'
      and job.queue = wanted.queue
    order by job.priority, job.scheduled_at, job.id
    limit 1
  ) as head
)
select
  array(select node from elixir) as leaders,
  array(select remaining from elixir) as remaining,
  array(select queue from mine) as ready,
  $3::boolean and exists (
    {due}
  ) as due,
  (
    select count(pg_notify($4::text, jsonb_build_object('queue', queue)::text))
    from waiting
    where queue is not null
      and $4::text is not null
      and not exists (select from elixir)
  ) as announced,
  case when $3::boolean and $5::text is not null and not exists (select from elixir) then pg_notify($5::text, $6::text) end
