-- One page of the table by id, the newest first. The page is cut before it is filtered, so that a statement looks at no
-- more rows than a page has, however rare the wanted ones are; its last row is returned in any case, to go on from.
with page as materialized (
  select id, worker, state, queue, max_attempts, inserted_at, meta, args
  from {prefix}.oban_jobs
  where id < $1
  order by id desc
  limit $2
),
judged as (
  select
    *,
    (
      ($3::text[] is null or worker = any($3))
      and ($4::text[] is null or state::text = any($4))
      and ($5::timestamp is null or inserted_at >= $5)
    ) is true as wanted
  from page
)
select
  id,
  wanted,
  worker,
  state::text as state,
  queue,
  max_attempts,
  meta->>'contract' as contract,
  case when wanted then args::text end as args
from judged
where wanted
  or id = (select min(id) from page)
order by id desc
