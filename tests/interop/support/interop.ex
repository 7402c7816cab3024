defmodule Interop do
  @moduledoc "What the tests ask of a node: jobs put in, rows read, events of runs told to the harness."

  import Ecto.Query, only: [where: 2]

  @doc "Tells the harness of every job's start and end; `done` comes after the row was written."
  def attach do
    for kind <- [:start, :stop, :exception] do
      :telemetry.attach({__MODULE__, kind}, [:oban, :job, kind], &__MODULE__.heard/4, kind)
    end

    hear_oneself(Keyword.get(Application.get_env(:badge_forge, Oban, []), :name, Oban), 100)
  end

  # Oban connects its notifier in the background: a message that comes before is lost. Where a test's node can't hear
  # at all it is ready nevertheless.
  defp hear_oneself(name, rounds) do
    :ok = Oban.Notifier.listen(name, [:interop_ready])
    knock(name, rounds)
  catch
    :exit, _reason -> true
  end

  defp knock(_name, 0), do: true

  defp knock(name, rounds) do
    Oban.Notifier.notify(name, :interop_ready, %{})

    receive do
      {:notification, :interop_ready, _payload} -> true
    after
      20 -> knock(name, rounds - 1)
    end
  end

  def heard(_event, _measures, meta, :start), do: Bridge.Console.send("started", run(meta))

  def heard(_event, _measures, meta, _end) do
    Bridge.Console.send("done", Map.put(run(meta), "state", to_string(meta.state)))
  end

  defp run(%{job: job}) do
    %{"id" => job.id, "attempt" => job.attempt, "worker" => job.worker, "queue" => job.queue}
  end

  @doc "Inserts a job for any worker, by its name in the row; `opts` are those of `Oban.Job.new/2`."
  def insert(worker, args \\ %{}, opts \\ []) do
    Oban.insert!(job(worker, args, opts)).id
  end

  @doc "Inserts many at once; `jobs` are `[worker, args, opts]`."
  def insert_all(jobs) do
    for job <- Oban.insert_all(for [worker, args, opts] <- jobs, do: job(worker, args, opts)), do: job.id
  end

  defp job(worker, args, opts), do: Oban.Job.new(args, [worker: worker] ++ options(opts))

  @doc "Options as the tests send them, with text for keys."
  def options(opts), do: for({key, value} <- opts, do: {String.to_existing_atom(to_string(key)), value})

  @doc "Elixir's own reading of a row, with its fields' names as text."
  def job(id) do
    job = Oban.Repo.one(Oban.config(), where(Oban.Job, id: ^id))
    job && for(field <- Oban.Job.__schema__(:fields), into: %{}, do: {to_string(field), Map.get(job, field)})
  end

  @doc "Returns the job once it is in `state`."
  def await_state(id, state, timeout \\ 10_000) do
    Bridge.Console.await(fn -> job(id) |> then(&(&1 && &1["state"] == state && &1)) end, timeout)
  end

  @doc "The processes that a node must not lose: Oban's supervisor, notifier and the producers, by name."
  def pids do
    roles = Registry.select(Oban.Registry, [{{{Oban, :"$1"}, :"$2", :_}, [], [{{:"$1", :"$2"}}]}])
    lasting = for {role, pid} <- roles, role in [Oban.Notifier, Oban.Peer, Oban.Stager], do: {role, pid}
    for {role, pid} <- lasting ++ for({{:producer, _}, _} = each <- roles, do: each), into: %{}, do: {inspect(role), inspect(pid)}
  end

  @doc "Runs one of Oban's migrations, `:up` or `:down`, at the node's repo; a throwaway one, so that each call runs."
  def migrate(direction, opts) do
    module = Module.concat(__MODULE__, "Migration#{System.unique_integer([:positive])}")

    body =
      quote do
        use Ecto.Migration
        def up, do: apply(Oban.Migrations, unquote(direction), [unquote(Macro.escape(options(opts)))])
        def down, do: :ok
      end

    Module.create(module, body, Macro.Env.location(__ENV__))
    :ok = Ecto.Migrator.up(BadgeForge.Repo, System.os_time(:microsecond), module, log: false)
  end
end

defmodule Interop.Ok do
  @moduledoc "Completes, and tells the harness what it was given."
  use Oban.Worker, queue: :elixir

  @impl Oban.Worker
  def perform(job) do
    Bridge.Console.send("ran", Map.take(Map.from_struct(job), [:id, :args, :meta, :tags, :attempt, :priority, :queue]))
  end
end

defmodule Interop.Outcome do
  @moduledoc "Ends as its args say."
  use Oban.Worker, queue: :elixir, max_attempts: 3

  @impl Oban.Worker
  def perform(%{args: %{"mode" => mode} = args}), do: outcome(mode, args["message"] || "boom", args)

  @impl Oban.Worker
  def timeout(%{args: %{"timeout" => ms}}), do: ms
  def timeout(_job), do: :infinity

  @impl Oban.Worker
  def backoff(%{args: %{"backoff" => seconds}}), do: seconds
  def backoff(job), do: Oban.Worker.backoff(job)

  defp outcome("ok", _message, _args), do: :ok
  defp outcome("value", _message, args), do: {:ok, args["value"]}
  defp outcome("error", message, _args), do: {:error, message}
  defp outcome("raise", message, _args), do: raise(message)
  defp outcome("throw", message, _args), do: throw(message)
  defp outcome("exit", message, _args), do: exit(message)
  defp outcome("cancel", message, _args), do: {:cancel, message}
  defp outcome("discard", message, _args), do: {:discard, message}
  defp outcome("snooze", _message, args), do: {:snooze, args["seconds"]}
  defp outcome("kill", _message, _args), do: Process.exit(self(), :kill)

  defp outcome("sleep", _message, args) do
    Bridge.Console.send("sleeping", args["ms"])
    Process.sleep(args["ms"])
  end
end
