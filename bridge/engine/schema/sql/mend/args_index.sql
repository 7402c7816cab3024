create index concurrently if not exists oban_jobs_args_index
  on {prefix}.oban_jobs using gin (args);
