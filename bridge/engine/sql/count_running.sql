-- How many jobs each producer runs, of either language; rows that other programs wrote may lack the uuid, or both.
select queue, attempted_by[1] as node, attempted_by[2] as uuid, count(*) as jobs
from {prefix}.oban_jobs
where state = 'executing'
group by queue, attempted_by[1], attempted_by[2]
order by queue, attempted_by[1], attempted_by[2]
