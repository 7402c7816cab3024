-- Writes the row of a job that runs, and changes nothing: does it take longer than statements may?
update {prefix}.oban_jobs
set attempt = attempt
where id = $1
  and attempt = $2
  and attempted_by[2] = $3
  and (state = 'executing') is true
