"""The catalog of one schema as lines of text, and the lines that are expected."""

import re
from pathlib import Path

from bridge.engine.schema import quote_ident

DATA = Path(__file__).parent / "data"

_QUERY = """
with home as (select oid from pg_namespace where nspname = $1),
rel as (select c.* from pg_class c join home on home.oid = c.relnamespace)
select 'table ' || relname || ': ' || case relpersistence when 'u' then 'unlogged' else 'permanent' end
    || coalesce(', comment ' || obj_description(oid, 'pg_class'), '')
    || coalesce(', with ' || array_to_string(reloptions, ','), '')
  from rel where relkind in ('r', 'p')
union all
select 'columns ' || relname || ': ' || string_agg(attname, ', ' order by attnum)
  from rel join pg_attribute a on attrelid = rel.oid
  where relkind in ('r', 'p', 'v') and attnum > 0 and not attisdropped group by relname
union all
select 'column ' || relname || '.' || attname || ': ' || format_type(atttypid, atttypmod)
    || case when attnotnull then ' not null' else '' end
    || coalesce(' default ' || pg_get_expr(adbin, adrelid), '')
    || case attidentity when 'a' then ' generated always as identity' else '' end
  from rel join pg_attribute a on attrelid = rel.oid
  left join pg_attrdef on adrelid = rel.oid and adnum = attnum
  where relkind in ('r', 'p') and attnum > 0 and not attisdropped
union all
select 'constraint ' || relname || '.' || conname || ': ' || pg_get_constraintdef(k.oid)
  from rel join pg_constraint k on conrelid = rel.oid where contype <> 'n'
union all
select 'index ' || relname || '.' || pg_get_indexdef(indexrelid)
    || case when indisvalid then '' else ' (invalid)' end
  from rel join pg_index on indrelid = rel.oid
union all
select 'trigger ' || relname || '.' || pg_get_triggerdef(t.oid)
  from rel join pg_trigger t on tgrelid = rel.oid where not tgisinternal
union all
select 'sequence ' || relname || ': ' || format_type(seqtypid, null)
    || ', owned by ' || refobjid::regclass || '.' || attname
  from rel join pg_sequence on seqrelid = rel.oid join pg_depend d on objid = rel.oid and refobjsubid > 0
  join pg_attribute on attrelid = refobjid and attnum = refobjsubid
union all
select 'view ' || relname from rel where relkind = 'v'
union all
select 'enum ' || typname || ': ' || string_agg(enumlabel, ', ' order by enumsortorder)
  from pg_type t join home on home.oid = typnamespace join pg_enum on enumtypid = t.oid group by typname
union all
select 'function ' || proname || '(' || oidvectortypes(proargtypes) || ')'
  from pg_proc join home on home.oid = pronamespace
"""


async def dump(conn, prefix):
    """Return all that is in the schema, a line each, sorted. Names of the schema itself are left out."""
    async with conn.transaction():
        await conn.execute(f"set local search_path to {quote_ident(prefix)}")
        lines = [row[0] for row in await conn.fetch(_QUERY, prefix)]
    return sorted(_shorten(line) for line in lines)


def expected(section):
    """Return the lines of a section of `data/catalogs.txt`; most are told by the difference from another."""
    lines, base = _sections()[section]
    known = set(expected(base)) if base else set()
    gone = {line[2:] for line in lines if line.startswith("- ")}
    assert gone <= known, f"[{section}] takes away what [{base}] has not: {gone - known}"
    return sorted((known - gone) | {line[2:] for line in lines if line.startswith("+ ")})


def _sections():
    sections = {}
    for line in (DATA / "catalogs.txt").read_text("utf-8").splitlines():
        if title := re.fullmatch(r"\[(.+?)(?:, from (.+))?\]", line):
            lines = []
            sections[title[1]] = (lines, title[2])
        elif line and not line.startswith("#"):
            lines.append(line)
    return sections


def _shorten(line):
    """Take out of an index's or trigger's definition what its line tells already."""
    index = re.compile(r"\.CREATE (UNIQUE )?INDEX (\S+) ON .+? USING ", re.DOTALL)
    trigger = re.compile(r"\.CREATE TRIGGER (\S+) (AFTER [A-Z ]+) ON .+? FOR EACH", re.DOTALL)
    line = index.sub(lambda found: f".{found[2]}: {found[1] or ''}", line)
    return trigger.sub(r".\1: \2 FOR EACH", line)
