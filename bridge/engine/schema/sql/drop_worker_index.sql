drop index if exists {prefix}.bridge_jobs_worker
