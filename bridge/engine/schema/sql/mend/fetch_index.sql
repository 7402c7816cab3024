create index concurrently if not exists oban_jobs_state_queue_priority_scheduled_at_id_index
  on {prefix}.oban_jobs (state, queue, priority, scheduled_at, id);
