-- Version 9, as a database has it whose migrations ran before {suspended}, with {tags} and its main index on {fetch}.
create type {prefix}.oban_job_state as enum (
  'available', {suspended} 'scheduled', 'executing', 'retryable', 'completed', 'discarded', 'cancelled'
);

create table {prefix}.oban_jobs (
  id bigserial primary key,
  state {prefix}.oban_job_state not null default 'available',
  queue text not null default 'default',
  worker text not null,
  args jsonb not null,
  errors jsonb[] not null default array[]::jsonb[],
  attempt integer not null default 0,
  max_attempts integer not null default 20,
  inserted_at timestamp not null default timezone('UTC', now()),
  scheduled_at timestamp not null default timezone('UTC', now()),
  attempted_at timestamp,
  completed_at timestamp,
  attempted_by text[],
  discarded_at timestamp,
  priority integer default 0,
  tags {tags},
  meta jsonb default '{}',
  cancelled_at timestamp,
  constraint worker_length check (char_length(worker) > 0 and char_length(worker) < 128),
  constraint queue_length check (char_length(queue) > 0 and char_length(queue) < 128)
);

create index oban_jobs_attempted_at_id_index
  on {prefix}.oban_jobs (attempted_at desc, id)
  where state in ('completed', 'discarded');

create index {fetch};

create function {prefix}.oban_jobs_notify() returns trigger
language plpgsql as $$
begin
  if new.state = 'available' then
    perform pg_notify(tg_table_schema || '.oban_insert', json_build_object('queue', new.queue)::text);
  end if;
  return null;
end;
$$;

create trigger oban_notify
  after insert on {prefix}.oban_jobs
  for each row execute function {prefix}.oban_jobs_notify();

comment on table {prefix}.oban_jobs is '9';
