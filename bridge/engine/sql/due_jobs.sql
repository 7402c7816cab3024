-- What staging would make available now.
select id
from {prefix}.oban_jobs
where state in ('scheduled', 'retryable')
  and scheduled_at <= $1
  and attempt < max_attempts
  and id <> all($3::bigint[])
order by scheduled_at desc, id desc
limit $2
