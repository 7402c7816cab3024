-- A job from any language, by one call; its id is returned, and the commit makes it seen and announced. It checks what
-- keeps nodes of either language working, which trust the rows that they load. It has the caller's rights, no more, and
-- nothing of it depends on the caller's search path.
create or replace function {prefix}.bridge_enqueue(
  worker text,
  args jsonb default '{}',
  queue text default 'default',
  priority integer default 0,
  max_attempts integer default 20,
  scheduled_at timestamptz default null,
  schedule_in interval default null,
  tags text[] default '{}',
  meta jsonb default '{}'
)
returns bigint
language plpgsql
volatile
security invoker
as {body};
