-- Waits for the end of every transaction that has written jobs, and keeps others from it until this one ends. A stager of
-- Elixir's takes its snapshot after that wait, so what is staged here, and then started, it does not set back.
lock table {prefix}.oban_jobs in share row exclusive mode
