defmodule BadgeForge.Repo.Migrations.AddOban do
  use Ecto.Migration

  def up, do: Oban.Migration.up(prefix: Application.fetch_env!(:badge_forge, Oban)[:prefix])

  # The tables may be of Python's making and hold its jobs, so a rollback leaves them.
  def down, do: :ok
end
