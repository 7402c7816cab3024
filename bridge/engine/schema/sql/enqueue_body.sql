
#variable_conflict use_variable
declare
  run_at timestamptz := coalesce(scheduled_at, pg_catalog.clock_timestamp() + schedule_in);
  args_text text := args::text;
  meta_text text := meta::text;
  plain_tags text[];
  job_id bigint;
begin
  if worker is null or pg_catalog.char_length(worker) not between 1 and 127 then
    raise invalid_parameter_value using message = 'worker: expected a name of 1 to 127 characters';
  end if;
  if pg_catalog.char_length(coalesce(queue, '')) not between 1 and 127 then
    raise invalid_parameter_value using message = 'queue: expected a name of 1 to 127 characters';
  end if;
  if coalesce(pg_catalog.jsonb_typeof(args), '') <> 'object' then
    raise invalid_parameter_value using
      message = 'args: expected a JSON object',
      hint = 'Wrap it: {"value": ...}. Anything else would stop the queue that loads it.';
  end if;
  if coalesce(pg_catalog.jsonb_typeof(meta), '') <> 'object' then
    raise invalid_parameter_value using message = 'meta: expected a JSON object';
  end if;
  -- As nodes hold them, which read all that they fetch at once into memory; with the spaces that PostgreSQL writes.
  if pg_catalog.octet_length(args_text) > {args_limit} then
    raise invalid_parameter_value using
      message = pg_catalog.format(
        'args: expected at most {args_limit} bytes of JSON, got %s', pg_catalog.octet_length(args_text)
      ),
      hint = 'Store it elsewhere and pass a reference, or raise BRIDGE_ARGS_LIMIT and run bridge upgrade.';
  end if;
  if pg_catalog.octet_length(meta_text) > {meta_limit} then
    raise invalid_parameter_value using
      message = pg_catalog.format(
        'meta: expected at most {meta_limit} bytes of JSON, got %s', pg_catalog.octet_length(meta_text)
      ),
      hint = 'Store it elsewhere and pass a reference, or raise BRIDGE_META_LIMIT and run bridge upgrade.';
  end if;
  -- jsonb holds longer integers than Elixir's decoder, and greater fractions than a float: a queue that loads one stops.
  if (pg_catalog.textregexeq(args_text, '[0-9]{255}') or pg_catalog.textregexeq(meta_text, '[0-9]{255}')) and exists (
    select
    from (values (args), (meta)) as given (document)
    cross join lateral pg_catalog.jsonb_path_query(document, 'strict $.** ? (@.type() == "number")') as number
    where case pg_catalog.strpos(number::text, '.')
      when 0 then pg_catalog.char_length(number::text) > 1024
      else number::text::numeric not between -1.7976931348623157e308 and 1.7976931348623157e308
    end
  ) then
    raise invalid_parameter_value using
      message = 'args: expected numbers that Elixir can load, integers of at most 1024 characters and fractions within a float''s range',
      hint = 'Pass it as text.';
  end if;
  if coalesce(priority, -1) not between 0 and 9 then
    raise invalid_parameter_value using message = 'priority: expected 0, the first, to 9, the last';
  end if;
  if coalesce(max_attempts, 0) not between 1 and 2000000000 then
    raise invalid_parameter_value using message = 'max_attempts: expected 1 to 2000000000';
  end if;
  if scheduled_at is not null and schedule_in is not null then
    raise invalid_parameter_value using message = 'schedule_in: expected only one of scheduled_at and schedule_in';
  end if;
  if run_at not between timestamptz '0001-01-02 00:00Z' and timestamptz '9999-12-30 00:00Z' then
    raise invalid_parameter_value using message = 'scheduled_at: expected a time within the years 1 to 9999';
  end if;

  -- As Oban stores them: trimmed, in lower case, without empty and repeated ones, in their order.
  select coalesce(pg_catalog.array_agg(tag order by place), '{}')
  into plain_tags
  from (
    select tag, pg_catalog.min(nth) as place
    from pg_catalog.unnest(tags) with ordinality as given (text, nth)
    cross join lateral pg_catalog.btrim(pg_catalog.lower(given.text), e' \t\n\r\f\x0b') as tag
    where tag <> ''
    group by tag
  ) as kept;

  insert into {prefix}.oban_jobs (state, queue, worker, args, meta, tags, max_attempts, priority, scheduled_at)
  values (
    case when run_at is null then 'available' else 'scheduled' end::{prefix}.oban_job_state,
    queue,
    worker,
    args,
    meta,
    plain_tags,
    max_attempts,
    priority,
    pg_catalog.timezone('UTC', coalesce(run_at, pg_catalog.now()))
  )
  returning id into job_id;

  -- Up to version 11 a trigger of Oban's announces it. PostgreSQL refuses channels of over 63 bytes; then nodes poll.
  if run_at is null
    and pg_catalog.octet_length({channel}) <= 63
    and not exists (
      select
      from pg_catalog.pg_trigger
      where tgrelid = {table}::pg_catalog.regclass
        and tgname = 'oban_notify'
        and tgenabled in ('O', 'A')
    )
  then
    perform pg_catalog.pg_notify({channel}, pg_catalog.jsonb_build_object('queue', queue)::text);
  end if;

  return job_id;
end
