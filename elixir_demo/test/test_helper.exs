ExUnit.start()
Ecto.Adapters.SQL.Sandbox.mode(BadgeForge.Repo, :manual)
