defmodule BadgeForge.Repo do
  @moduledoc "The database that Elixir and Python share."

  use Ecto.Repo, otp_app: :badge_forge, adapter: Ecto.Adapters.Postgres
end
