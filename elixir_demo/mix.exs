defmodule BadgeForge.MixProject do
  use Mix.Project

  @local ~w(oban ecto_sql postgrex jason ecto db_connection decimal telemetry)a

  def project do
    [
      app: :badge_forge,
      version: "0.1.0",
      elixir: "~> 1.15",
      elixirc_paths: elixirc_paths(Mix.env()),
      start_permanent: Mix.env() == :prod,
      deps: deps(System.get_env("BADGE_FORGE_DEPS", "")),
      aliases: aliases(),
      releases: [badge_forge: [include_executables_for: [:unix]]]
    ]
  end

  def application do
    [mod: {BadgeForge.Application, []}, extra_applications: [:logger]]
  end

  def cli do
    [preferred_envs: [check: :test]]
  end

  defp elixirc_paths(:test), do: ["lib", "test/support"]
  defp elixirc_paths(_env), do: ["lib"]

  defp aliases do
    [
      setup: ["deps.get", "ecto.create --quiet", "migrate"],
      migrate: "eval BadgeForge.Release.migrate()",
      test: ["ecto.create --quiet", "ecto.migrate --quiet", "test"],
      check: ["format --check-formatted", "compile --warnings-as-errors", "test"]
    ]
  end

  defp deps("") do
    [
      {:oban, oban_version()},
      {:ecto_sql, "~> 3.10"},
      {:postgrex, "~> 0.17"},
      {:jason, "~> 1.4"}
    ]
  end

  # What the folder has is taken from there, and only the rest from Hex.
  defp deps(folder) do
    folder = Path.expand(folder)
    local = Enum.filter(@local, &File.exists?(Path.join([folder, "#{&1}", "mix.exs"])))

    if local == [] do
      Mix.raise(
        "BADGE_FORGE_DEPS: expected a folder of checkouts named #{Enum.join(@local, ", ")}, " <>
          "or some of these; there is none in #{folder}"
      )
    end

    for(app <- local, do: {app, path: Path.join(folder, "#{app}"), override: true}) ++
      Enum.reject(deps(""), fn {app, _requirement} -> app in local end)
  end

  defp oban_version do
    version = System.get_env("OBAN_VERSION", "")

    cond do
      # Containers pass a build argument on that nobody gave.
      version == "" ->
        "~> 2.23"

      match?({:ok, _requirement}, Version.parse_requirement(version)) ->
        version

      true ->
        Mix.raise(
          "OBAN_VERSION: expected a requirement such as \"~> 2.17.0\", got #{inspect(version)}"
        )
    end
  end
end
