defmodule BadgeForge.ReleaseTest do
  # Migrations commit, and what they are about is in the application's environment.
  use ExUnit.Case, async: false

  alias BadgeForge.Release
  alias BadgeForge.Repo
  alias Ecto.Adapters.SQL.Sandbox

  @moduletag :capture_log

  @prefix "release_test"

  setup do
    before = Application.fetch_env!(:badge_forge, Oban)
    Application.put_env(:badge_forge, Oban, Keyword.put(before, :prefix, @prefix))
    Sandbox.mode(Repo, :auto)
    # Each run loads the migration's module anew.
    Code.put_compiler_option(:ignore_module_conflict, true)

    on_exit(fn ->
      Code.put_compiler_option(:ignore_module_conflict, false)
      Repo.query!("drop schema if exists #{@prefix} cascade", [], log: false)
      Sandbox.mode(Repo, :manual)
      Application.put_env(:badge_forge, Oban, before)
    end)
  end

  test "makes Oban's tables in the configured prefix, once" do
    assert Release.migrate() == :ok
    assert tables() == ["oban_jobs", "oban_peers", "schema_migrations"]

    before = catalog()
    assert Release.migrate() == :ok
    assert catalog() == before
  end

  test "leaves tables as they are that others made" do
    Release.migrate()
    Repo.query!("drop table #{@prefix}.schema_migrations")
    Repo.query!("alter table #{@prefix}.oban_jobs add column theirs int")
    before = catalog()

    assert Release.migrate() == :ok
    assert catalog() == before
    assert "schema_migrations" in tables()
  end

  defp tables do
    query = "select tablename from pg_tables where schemaname = $1 order by 1"
    Repo.query!(query, [@prefix]).rows |> List.flatten()
  end

  # Oban's columns, indexes and the version in the comment; oids tell what was made anew.
  defp catalog do
    query = """
    select class.oid, class.relname, attribute.attname, attribute.atttypid,
           obj_description(class.oid, 'pg_class')
    from pg_class class
    join pg_attribute attribute on attribute.attrelid = class.oid
    where class.relnamespace = $1::text::regnamespace
      and class.relname like 'oban%'
    order by class.oid, attribute.attnum
    """

    Repo.query!(query, [@prefix]).rows
  end
end
