-- The last minute that was done ($1 is the instance), locked until the next one is: null where none was done yet.
insert into {prefix}.bridge_crons as done (name)
values ($1)
on conflict (name) do update
set name = excluded.name
returning done.minute, done.leader::text as leader
