defmodule BadgeForge.DataCase do
  @moduledoc "Tests of the database; each in a transaction of its own."

  use ExUnit.CaseTemplate

  alias Ecto.Adapters.SQL.Sandbox

  using do
    quote do
      use Oban.Testing, repo: BadgeForge.Repo

      alias BadgeForge.Repo
    end
  end

  setup tags do
    owner = Sandbox.start_owner!(BadgeForge.Repo, shared: not tags[:async])
    on_exit(fn -> Sandbox.stop_owner(owner) end)
  end
end
