import Config

# Never DATABASE_URL, which may be a database in use.
config :badge_forge, BadgeForge.Repo,
  url:
    System.get_env("TEST_DATABASE_URL") ||
      "postgres://postgres:postgres@localhost/badge_forge_test",
  pool: Ecto.Adapters.SQL.Sandbox

config :badge_forge, Oban, prefix: "public", testing: :manual

config :logger, level: :info
