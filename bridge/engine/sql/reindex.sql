-- Builds an index anew beside the old one, which goes on serving until it is exchanged; no write waits for it.
reindex index concurrently {prefix}.{index}
