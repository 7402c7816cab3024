-- The ids of what staging would make available now ($1): $2 of them, without those that it is to leave alone ($3).
select due.id
from (
  {due}
) as due
limit $2
