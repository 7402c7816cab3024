defmodule BadgeForge.OwnJobs do
  @moduledoc """
  Oban's Basic engine, but for one thing: it fetches only jobs whose worker is named as Elixir's
  modules are, so that a node leaves to others what isn't its own. For queues that Python serves too:

      config :badge_forge, Oban, engine: BadgeForge.OwnJobs
  """

  @behaviour Oban.Engine

  import Ecto.Query

  alias Oban.Engines.Basic
  alias Oban.{Job, Repo}

  Code.ensure_compiled!(Basic)

  for {name, arity} <- Oban.Engine.behaviour_info(:callbacks),
      function_exported?(Basic, name, arity),
      name != :fetch_jobs do
    args = Macro.generate_arguments(arity, __MODULE__)
    defdelegate unquote(name)(unquote_splicing(args)), to: Basic
  end

  def fetch_jobs(_conf, %{paused: true} = meta, _running), do: {:ok, {meta, []}}

  def fetch_jobs(conf, meta, running) do
    Repo.transaction(conf, fn ->
      {_count, jobs} =
        Repo.update_all(
          conf,
          claimed(meta, max(meta.limit - map_size(running), 0)),
          updates(meta)
        )

      {meta, jobs}
    end)
  end

  defp claimed(meta, demand) do
    own =
      Job
      |> select([:id])
      |> where([j], j.state == "available" and j.queue == ^meta.queue)
      |> where([j], fragment("? ~ '^[A-Z]'", j.worker))
      |> order_by([:priority, :scheduled_at, :id])
      |> limit(^demand)
      |> lock("FOR UPDATE SKIP LOCKED")

    Job
    |> with_cte("own", as: ^own)
    |> join(:inner, [j], o in fragment(~s("own")), on: j.id == o.id)
    |> where([j], j.attempt < j.max_attempts)
    |> select([j], j)
  end

  defp updates(meta) do
    now = DateTime.utc_now()

    [
      set: [state: "executing", attempted_at: now, attempted_by: [meta.node, meta.uuid]],
      inc: [attempt: 1]
    ]
  end
end
