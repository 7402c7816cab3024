"""Jobs in processes of their own: one node, one producer a queue, and work on all cores.

The parent keeps the database, the queues and the signals (`pool`, `process`, `execution`); its children run jobs
(`serving`). Between them go messages of plain types (`wire`, `messages`), and lines of the log (`logs`); what a child
has begun stands in memory that both have (`tally`).
"""
