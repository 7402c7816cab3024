defmodule Interop.Watch do
  @moduledoc """
  What a node must not lose whatever others send it: its processes, its queues and how they stand. From `start/0` on it
  also keeps every report in the log that is a warning or worse, but for those of jobs that failed.
  """

  @table __MODULE__

  def start do
    :logger.remove_handler(:interop_watch)
    asker = self()

    holder =
      spawn(fn ->
        receive do: (:begin -> :ets.new(@table, [:named_table, :public, :ordered_set]))
        send(asker, :ready)
        Process.sleep(:infinity)
      end)

    # One that a watch before this one left.
    with table when table != :undefined <- :ets.whereis(@table), do: :ets.delete(table)
    send(holder, :begin)
    receive do: (:ready -> :logger.add_handler(:interop_watch, __MODULE__, %{level: :warning}))
  end

  @doc "The handler's callback."
  def log(event, _config) do
    unless job?(event.msg) do
      text = :logger_formatter.format(event, %{single_line: false, max_size: 4_000})
      :ets.insert(@table, {System.unique_integer([:monotonic]), {event.level, IO.chardata_to_string(text)}})
    end
  end

  # Oban's own logger, whose map Elixir may have made into text, or into a keyword.
  defp job?({:report, %{event: "job:" <> _}}), do: true
  defp job?({:report, [_ | _] = report}), do: match?("job:" <> _, Keyword.keyword?(report) && report[:event])
  defp job?(_other), do: false

  @doc "The node's process number, its lasting processes by their role, its queues, and the reports so far."
  def look do
    roles = Registry.select(Oban.Registry, [{{{Oban, :"$1"}, :"$2", :_}, [], [{{:"$1", :"$2"}}]}])

    %{
      "os" => System.pid(),
      "lasting" => lasting(for({role, pid} <- roles, not is_tuple(role) or elem(role, 0) == :plugin, do: {role, pid})),
      "queues" => for({{:producer, queue}, pid} <- roles, into: %{}, do: {queue, producer(queue, pid)}),
      "reports" => for({_number, {level, text}} <- :ets.tab2list(@table), do: [to_string(level), text])
    }
  end

  @doc "How one queue stands, and its processes; nil where it doesn't run."
  def queue(queue) do
    with pid when is_pid(pid) <- Oban.Registry.whereis(Oban, {:producer, queue}), do: producer(queue, pid)
  end

  @doc "Loads every job as Oban does, with all their args, meta and errors, and returns their number."
  def load_all, do: length(Oban.Repo.all(Oban.config(), Oban.Job))

  defp lasting(roles) do
    children = Supervisor.which_children(Oban.Registry.whereis(Oban))
    beside = Supervisor.which_children(BadgeForge.Supervisor)
    found = roles ++ for {id, pid, _, _} <- children ++ beside, do: {{:child, id}, pid}
    for {role, pid} <- found, into: %{}, do: {inspect(role), inspect(pid)}
  end

  defp producer(queue, pid) do
    meta = GenServer.call(pid, :check)
    %{"pids" => [inspect(pid), inspect(siblings(queue))], "limit" => meta.limit, "paused" => meta.paused}
  catch
    :exit, _reason -> %{"pids" => [], "limit" => nil, "paused" => nil}
  end

  defp siblings(queue), do: for(part <- [:queue, :foreman, :watchman], do: Oban.Registry.whereis(Oban, {part, queue}))
end
