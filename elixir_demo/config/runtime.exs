import Config

alias BadgeForge.Settings

# Tests have settings of their own, and no environment changes them.
if config_env() != :test do
  env = System.get_env()

  config :badge_forge, BadgeForge.Repo, Settings.repo(env, required: config_env() == :prod)
  config :badge_forge, Oban, Settings.oban(env)
end
