-- Counts the jobs that pruning would delete, by the same condition.
select count(*) as jobs
from {prefix}.oban_jobs
where state = '{state}'
  and {condition}
