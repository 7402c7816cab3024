-- The times of rows that this transaction has just inserted, where a trigger gave them other ones than all of them share.
select id, inserted_at, scheduled_at
from {prefix}.oban_jobs
where id = any($1::bigint[])
order by id
