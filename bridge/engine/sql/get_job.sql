-- One job by its id.
select {columns}
from {prefix}.oban_jobs
where id = $1
