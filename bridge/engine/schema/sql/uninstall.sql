-- Nothing cascades: whatever else depends on these makes the statement fail and stays. The schema stays too.
drop table if exists {prefix}.oban_jobs;

drop table if exists {prefix}.oban_peers;

drop function if exists {prefix}.oban_jobs_notify();

-- Made by Oban Met's leader, or by oban-py.
drop function if exists {prefix}.oban_count_estimate(text, text);

drop function if exists {prefix}.bridge_enqueue(
  text, jsonb, text, integer, integer, timestamptz, interval, text[], jsonb
);

drop function if exists {prefix}.bridge_unique_key(anyenum, text, text, jsonb, jsonb);

drop function if exists {prefix}.bridge_canonical(jsonb, integer);

drop type if exists {prefix}.oban_job_state;
