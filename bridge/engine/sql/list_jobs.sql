-- Jobs by filters, the newest first.
select {columns}
from {prefix}.oban_jobs
where {where}
order by id desc
limit {limit}
