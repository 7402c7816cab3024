-- Version 11: the table of leases.
create unlogged table if not exists {prefix}.oban_peers (
  name text not null,
  node text not null,
  started_at timestamp without time zone not null,
  expires_at timestamp without time zone not null,
  constraint oban_peers_pkey primary key (name)
);
