create schema if not exists {prefix};
