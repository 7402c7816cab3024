drop function if exists {prefix}.bridge_unique_key(anyenum, text, text, jsonb, jsonb);

drop function if exists {prefix}.bridge_canonical(jsonb, integer);

-- What jsonb containment (`@>`) both ways takes for the same has the same canonical form: numbers without trailing zeros,
-- arrays sorted, each item once, and none that another one contains. Total, whatever stands in a row: beyond 100 levels, and
-- among more than 64 nested items of an array, values are taken as they are.
create function {prefix}.bridge_canonical(document jsonb, level integer) returns jsonb
language plpgsql immutable parallel safe
as {tag}
begin
  case pg_catalog.jsonb_typeof(document)
    when 'number' then
      return pg_catalog.to_jsonb(pg_catalog.trim_scale((document #>> '{}')::numeric));
    when 'object' then
      if level > 100 then
        return document;
      end if;
      return (
        select coalesce(
          pg_catalog.jsonb_object_agg(
            e.key,
            case
              when pg_catalog.jsonb_typeof(e.value) in ('string', 'boolean', 'null') then e.value
              else {prefix}.bridge_canonical(e.value, level + 1)
            end
          ),
          '{}'
        )
        from pg_catalog.jsonb_each(document) as e
      );
    when 'array' then
      if level > 100 then
        return document;
      end if;
      return (
        with item as materialized (
          select distinct {prefix}.bridge_canonical(e.value, level + 1) as value
          from pg_catalog.jsonb_array_elements(document) as e
        ),
        nested as materialized (
          select value
          from item
          where pg_catalog.jsonb_typeof(value) in ('object', 'array')
        ),
        contained as (
          select n.value
          from nested as n
          where (select count(*) from nested) <= 64
            and exists (select from nested as other where other.value <> n.value and other.value @> n.value)
        )
        select coalesce(pg_catalog.jsonb_agg(item.value order by item.value::text collate "C"), '[]')
        from item
        where item.value not in (select value from contained)
      );
    else
      return document;
  end case;
end
{tag};

-- By what a job is known in the unique index: null where its meta has no rule that can be kept, or its state doesn't count.
-- The state may be of any enum, so that Oban's migrations can drop theirs.
create function {prefix}.bridge_unique_key(
  state anyenum, worker text, queue text, args jsonb, meta jsonb
) returns bytea
language plpgsql immutable parallel safe
as {tag}
declare
  rule jsonb := meta -> 'bridge_unique';
  fields jsonb;
  keys jsonb;
  states text;
  compared jsonb;
  name text;
  document jsonb;
  part jsonb;
begin
  if rule = 'true' then
    rule := '{}';
  end if;
  if pg_catalog.jsonb_typeof(rule) is distinct from 'object' then
    return null;
  end if;
  fields := coalesce(rule -> 'fields', '["args", "queue", "worker"]');
  keys := coalesce(rule -> 'keys', '[]');
  states := coalesce(rule ->> 'states', 'successful');
  if pg_catalog.jsonb_typeof(fields) <> 'array' or pg_catalog.jsonb_typeof(keys) <> 'array' or fields = '[]' then
    return null;
  end if;
  if not '["args", "meta", "queue", "worker"]' @> fields or (fields ? 'meta' and keys = '[]') then
    return null;
  end if;
  if states not in ('all', 'incomplete', 'successful')
    or (states <> 'all' and state::text in ('cancelled', 'discarded'))
    or (states = 'incomplete' and state::text = 'completed')
  then
    return null;
  end if;
  compared := pg_catalog.jsonb_build_object(
    'fields',
    case
      when fields = '["args", "queue", "worker"]' then fields
      else {prefix}.bridge_canonical(fields, 0)
    end,
    'keys', case when keys = '[]' then keys else {prefix}.bridge_canonical(keys, 0) end,
    'states', states,
    'worker', case when fields ? 'worker' then worker end,
    'queue', case when fields ? 'queue' then queue end
  );
  foreach name in array array['args', 'meta'] loop
    continue when not fields ? name;
    document := case name when 'args' then args else meta end;
    if pg_catalog.jsonb_typeof(document) is distinct from 'object' then
      return null;
    end if;
    part := document;
    if keys <> '[]' then
      select coalesce(pg_catalog.jsonb_object_agg(e.key, e.value), '{}')
      into part
      from pg_catalog.jsonb_each(document) as e
      where keys ? e.key;
      -- As in Oban: without any of the keys, only a job with nothing at all is the same.
      if part = '{}' and document <> '{}' then
        return null;
      end if;
    end if;
    compared := compared || pg_catalog.jsonb_build_object(name, {prefix}.bridge_canonical(part, 0));
  end loop;
  return pg_catalog.sha256(pg_catalog.convert_to(compared::text, 'UTF8'));
end
{tag};
