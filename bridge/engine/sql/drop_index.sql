-- Drops an index without holding up writes.
drop index concurrently if exists {prefix}.{index}
