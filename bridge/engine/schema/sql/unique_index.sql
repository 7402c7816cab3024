create unique index {concurrently}bridge_jobs_unique
on {prefix}.oban_jobs ({prefix}.bridge_unique_key(state, worker, queue, args, meta))
where meta ? 'bridge_unique'
