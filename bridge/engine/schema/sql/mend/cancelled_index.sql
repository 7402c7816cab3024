create index concurrently if not exists oban_jobs_state_cancelled_at_index
  on {prefix}.oban_jobs (state, cancelled_at);
