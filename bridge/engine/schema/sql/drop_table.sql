drop table if exists {prefix}.{table};
