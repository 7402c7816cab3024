-- What oban-py 0.7.0 makes for itself.
create type {prefix}.oban_job_state as enum (
  'available', 'scheduled', 'suspended', 'executing', 'retryable', 'completed', 'discarded', 'cancelled'
);

create table {prefix}.oban_jobs (
  id bigint generated always as identity primary key,
  state {prefix}.oban_job_state not null default 'available',
  queue text not null default 'default',
  worker text not null,
  attempt smallint not null default 0,
  max_attempts smallint not null default 20,
  priority smallint not null default 0,
  args jsonb not null default '{}',
  meta jsonb not null default '{}',
  tags text[] not null default array[]::text[],
  errors jsonb not null default '[]',
  attempted_by text[] not null default array[]::text[],
  inserted_at timestamp not null default timezone('UTC', now()),
  scheduled_at timestamp not null default timezone('UTC', now()),
  attempted_at timestamp,
  cancelled_at timestamp,
  completed_at timestamp,
  discarded_at timestamp,
  constraint attempt_range check (attempt >= 0 and attempt <= max_attempts),
  constraint non_negative_priority check (priority >= 0),
  constraint positive_max_attempts check (max_attempts > 0),
  constraint queue_length check (char_length(queue) > 0),
  constraint worker_length check (char_length(worker) > 0)
);

create index oban_jobs_state_queue_priority_scheduled_at_id_index
  on {prefix}.oban_jobs (state, queue, priority, scheduled_at, id)
  with (fillfactor = 90);

create index oban_jobs_staging_index
  on {prefix}.oban_jobs (scheduled_at, id) include (queue)
  where state in ('scheduled', 'retryable');

create index oban_jobs_cancelled_at_index
  on {prefix}.oban_jobs (cancelled_at)
  where state = 'cancelled';

create index oban_jobs_completed_at_index
  on {prefix}.oban_jobs (completed_at)
  where state = 'completed';

create index oban_jobs_discarded_at_index
  on {prefix}.oban_jobs (discarded_at)
  where state = 'discarded';

create table {prefix}.oban_leaders (
  name text primary key default 'oban',
  node text not null,
  elected_at timestamp not null,
  expires_at timestamp not null
);

create table {prefix}.oban_producers (
  uuid uuid primary key,
  name text not null,
  node text not null,
  queue text not null,
  meta jsonb not null default '{}',
  started_at timestamp not null,
  updated_at timestamp not null
);

create function {prefix}.oban_count_estimate(state text, queue text) returns integer
language sql as 'select 0';
