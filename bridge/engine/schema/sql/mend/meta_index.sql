create index concurrently if not exists oban_jobs_meta_index
  on {prefix}.oban_jobs using gin (meta);
