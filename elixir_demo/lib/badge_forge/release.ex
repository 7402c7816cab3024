defmodule BadgeForge.Release do
  @moduledoc "What a release does without Mix: `bin/badge_forge eval 'BadgeForge.Release.migrate()'`."

  @app :badge_forge

  @doc """
  Makes or upgrades Oban's tables in the configured prefix.

  Tables that are there already, from `bridge install` or another Elixir node, stay as they are,
  unless they are of an older version than this Oban's.
  """
  @spec migrate() :: :ok
  def migrate do
    Application.load(@app)
    prefix = Application.fetch_env!(@app, Oban)[:prefix]

    for repo <- Application.fetch_env!(@app, :ecto_repos) do
      {:ok, _versions, _apps} = Ecto.Migrator.with_repo(repo, &migrate(&1, prefix))
    end

    :ok
  end

  # Each prefix has a `schema_migrations` of its own: with one for all, the second prefix of a
  # database would stay without tables.
  defp migrate(repo, prefix) do
    if not schema?(repo, prefix), do: query!(repo, ~s(create schema if not exists "#{prefix}"))
    Ecto.Migrator.run(repo, :up, all: true, prefix: prefix)
  end

  # Even for a schema that exists, `if not exists` wants the right to create one.
  defp schema?(repo, prefix) do
    query!(repo, "select from pg_namespace where nspname = $1", [prefix]).num_rows == 1
  end

  defp query!(repo, sql, params \\ []), do: repo.query!(sql, params, log: false)
end
