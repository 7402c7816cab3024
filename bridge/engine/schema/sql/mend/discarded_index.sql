create index concurrently if not exists oban_jobs_state_discarded_at_index
  on {prefix}.oban_jobs (state, discarded_at);
