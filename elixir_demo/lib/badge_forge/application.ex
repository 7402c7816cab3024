defmodule BadgeForge.Application do
  @moduledoc false

  use Application

  @impl Application
  def start(_type, _args) do
    # Jobs that fail are logged as errors; that one began or ended, only while debugging.
    Oban.Telemetry.attach_default_logger(encode: false, level: :debug)

    children = [
      BadgeForge.Repo,
      {Oban, Application.fetch_env!(:badge_forge, Oban)}
    ]

    Supervisor.start_link(children, strategy: :rest_for_one, name: BadgeForge.Supervisor)
  end
end
