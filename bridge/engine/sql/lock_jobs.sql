-- The rows that are about to be changed, as they are now; those that somebody else holds are left out.
select {columns}
from {prefix}.oban_jobs
where {where}
order by id
for update skip locked
