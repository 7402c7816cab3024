-- How the jobs divide among the states, as the last analyze saw it in a sample: shares, not counts.
select s.state, s.share::float8 as share
from pg_catalog.pg_stats as p
cross join lateral unnest(p.most_common_vals::text::text[], p.most_common_freqs) as s (state, share)
where p.schemaname = $1
  and p.tablename = 'oban_jobs'
  and p.attname = 'state'
