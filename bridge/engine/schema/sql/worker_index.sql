create index {concurrently}bridge_jobs_worker
on {prefix}.oban_jobs (queue, worker, priority, scheduled_at, id)
where state = 'available'
