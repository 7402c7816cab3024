-- Many rows at once, of which some carry a rule for the unique index: one that meets it is left out. So that the others are
-- known, ids are drawn before, in the order of `nth`.
with given as materialized (
  select
    nextval(
      coalesce(
        pg_get_serial_sequence(quote_ident($10::text) || '.oban_jobs', 'id'),
        quote_ident($10) || '.oban_jobs_id_seq'
      )::regclass
    ) as given_id,
    j.*
  from unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::integer[], $8::integer[],
    $9::timestamp[]
  ) with ordinality as j (state, queue, worker, args, meta, tags, max_attempts, priority, scheduled_at, nth)
),
inserted as (
  insert into {prefix}.oban_jobs
    (id, state, queue, worker, args, meta, tags, max_attempts, priority, scheduled_at)
  overriding system value
  select
    given_id,
    state::{prefix}.oban_job_state,
    queue,
    worker,
    args::jsonb,
    meta::jsonb,
    case when tags = '[]' then '{}'::text[] else array(select jsonb_array_elements_text(tags::jsonb)) end,
    max_attempts,
    priority,
    coalesce(scheduled_at, timezone('UTC', now()))
  from given
  order by nth
  on conflict do nothing
  returning id, inserted_at, scheduled_at
)
select
  given.nth,
  inserted.id,
  inserted.inserted_at,
  inserted.scheduled_at
from given
join inserted on inserted.id = given.given_id
