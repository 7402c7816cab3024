-- Version 14: the state suspended, where a fresh install has it.
alter type {prefix}.oban_job_state add value if not exists 'suspended' before 'scheduled';
