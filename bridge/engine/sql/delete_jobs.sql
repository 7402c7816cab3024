-- Deletes what is not running.
with target as (
  select id
  from {prefix}.oban_jobs
  where {where}
    and state <> 'executing'
  order by id
  for update
)
delete from {prefix}.oban_jobs as j
using target
where j.id = target.id
returning j.id
