-- Deletes jobs of one end state that have had their time, at most $6 at once. Rows are locked and looked at again, so that a
-- job that is being retried is kept, and one that somebody holds is left for the next time.
with pruned as (
  delete from {prefix}.oban_jobs
  where id = any(array(
    select id
    from {prefix}.oban_jobs
    where state = '{state}'
      and {condition}
    limit $6
    for update skip locked
  ))
  returning 1
)
select count(*) as jobs
from pruned
