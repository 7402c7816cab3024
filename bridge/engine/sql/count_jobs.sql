-- How many jobs there are in each group.
select {labels}, count(*) as jobs
from {prefix}.oban_jobs
where {where}
group by {group}
order by {group}
