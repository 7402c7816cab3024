-- Takes a producer that has stopped off the list, unless it has left jobs behind, which are found by its row.
delete from {prefix}.bridge_producers as p
where p.uuid = $1
  and not exists (select from {prefix}.oban_jobs as j where j.state = 'executing' and j.attempted_by[2] = p.uuid)
returning p.uuid
