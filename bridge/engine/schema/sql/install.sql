-- Oban's tables as its own migrations leave them at version 14: the same names, order, defaults and checks, so that an
-- Elixir node can join later without a migration of its own.
create type {prefix}.oban_job_state as enum (
  'available',
  'suspended',
  'scheduled',
  'executing',
  'retryable',
  'completed',
  'discarded',
  'cancelled'
);

create table {prefix}.oban_jobs (
  id bigserial,
  state {prefix}.oban_job_state not null default 'available',
  queue text not null default 'default',
  worker text not null,
  args jsonb not null default '{}',
  errors jsonb[] not null default array[]::jsonb[],
  attempt integer not null default 0,
  max_attempts integer not null default 20,
  inserted_at timestamp without time zone not null default timezone('UTC', now()),
  scheduled_at timestamp without time zone not null default timezone('UTC', now()),
  attempted_at timestamp without time zone,
  completed_at timestamp without time zone,
  attempted_by text[],
  discarded_at timestamp without time zone,
  priority integer not null default 0,
  tags text[] default array[]::text[],
  meta jsonb default '{}',
  cancelled_at timestamp without time zone,
  constraint oban_jobs_pkey primary key (id),
  constraint worker_length check (char_length(worker) > 0 and char_length(worker) < 128),
  constraint queue_length check (char_length(queue) > 0 and char_length(queue) < 128),
  constraint positive_max_attempts check (max_attempts > 0),
  constraint attempt_range check (attempt >= 0 and attempt <= max_attempts)
);

-- Oban adds this one to tables that may hold old rows and leaves it unvalidated; `create table` can't say that.
alter table {prefix}.oban_jobs
  add constraint non_negative_priority check (priority >= 0) not valid;

create index oban_jobs_state_queue_priority_scheduled_at_id_index
  on {prefix}.oban_jobs (state, queue, priority, scheduled_at, id);

create index oban_jobs_args_index
  on {prefix}.oban_jobs using gin (args);

create index oban_jobs_meta_index
  on {prefix}.oban_jobs using gin (meta);

create index oban_jobs_state_cancelled_at_index
  on {prefix}.oban_jobs (state, cancelled_at);

create index oban_jobs_state_discarded_at_index
  on {prefix}.oban_jobs (state, discarded_at);

-- Leases last seconds: losing them in a crash costs one election, logging them would cost writes for ever.
create unlogged table {prefix}.oban_peers (
  name text not null,
  node text not null,
  started_at timestamp without time zone not null,
  expires_at timestamp without time zone not null,
  constraint oban_peers_pkey primary key (name)
);

-- Oban's migrations read the version here, and accept nothing but a number.
comment on table {prefix}.oban_jobs is '14';
