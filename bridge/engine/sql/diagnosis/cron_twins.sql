-- Cron jobs that were inserted more than once for one minute, among the newest $1 jobs: two leaders, two instances, or one
-- entry in two languages.
select
  worker,
  meta ->> 'cron_expr' as expression,
  count(*) as times,
  sum(jobs)::bigint as jobs,
  (array_agg(ids order by minute desc))[1] as ids
from (
  select
    worker,
    meta,
    minute,
    jobs,
    ids
  from (
    select
      worker,
      jsonb_build_object('cron_expr', meta ->> 'cron_expr') as meta,
      args,
      date_trunc('minute', inserted_at) as minute,
      count(*) as jobs,
      min(id)::text || ', ' || max(id)::text as ids
    from (
      select id, worker, meta, args, inserted_at
      from {prefix}.oban_jobs
      order by id desc
      limit $1
    ) as newest
    where jsonb_typeof(meta) = 'object'
      and meta @> '{"cron": true}'
      and inserted_at > '-infinity'
    group by 1, 2, 3, 4
    having count(*) > 1
  ) as doubled
) as each
group by 1, 2
order by 1, 2
limit 100
