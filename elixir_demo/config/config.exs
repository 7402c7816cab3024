import Config

config :badge_forge, ecto_repos: [BadgeForge.Repo]

# Ended jobs of both languages are kept for a day: Python's nodes leave pruning to Elixir's.
config :badge_forge, Oban,
  repo: BadgeForge.Repo,
  plugins: [{Oban.Plugins.Pruner, max_age: 24 * 60 * 60}]

config :logger, :default_formatter, format: "$time [$level] $message\n"

import_config "#{config_env()}.exs"
