-- What a retry would make available.
select id
from {prefix}.oban_jobs
where {where}
  and state not in ('available', 'executing')
order by id
