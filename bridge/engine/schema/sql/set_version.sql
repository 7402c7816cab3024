comment on table {prefix}.oban_jobs is '{version}';
