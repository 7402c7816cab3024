-- Takes producers off the list that have been silent for $1 seconds. A fetch that was on its way when its node died may
-- claim jobs later than the node's other jobs are rescued, so this waits long after them.
delete from {prefix}.bridge_producers as p
where p.beat_at < timezone('UTC', clock_timestamp()) - $1 * interval '1 second'
  and not exists (select from {prefix}.oban_jobs as j where j.state = 'executing' and j.attempted_by[2] = p.uuid)
returning p.uuid
