-- Jobs by their ids.
select {columns}
from {prefix}.oban_jobs
where id = any($1::bigint[])
