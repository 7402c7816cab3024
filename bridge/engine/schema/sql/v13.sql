-- Version 13: what pruning looks for among cancelled and discarded jobs.
create index if not exists oban_jobs_state_cancelled_at_index
  on {prefix}.oban_jobs (state, cancelled_at);

create index if not exists oban_jobs_state_discarded_at_index
  on {prefix}.oban_jobs (state, discarded_at);
