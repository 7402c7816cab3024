reindex index concurrently {prefix}.{index};
