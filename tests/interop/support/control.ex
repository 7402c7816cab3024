defmodule Interop.Control do
  @moduledoc "Queues told and asked, more instances of Oban, and messages heard, for tests of control."

  @doc "Calls one of Oban's functions that steer queues; `opts` have text for keys."
  def tell(name, function, opts) do
    apply(Oban, String.to_existing_atom(function), [name, Interop.options(opts)])
  end

  @doc "How a queue of an instance stands, or nil where it doesn't run."
  def check(name, queue) do
    with %{} = seen <- seen(name, queue) do
      %{
        "limit" => seen.limit,
        "paused" => seen.paused,
        "node" => seen.node,
        "name" => inspect(seen.name)
      }
    end
  end

  # Where no such queue runs Oban answers nil; before 2.19 it exits.
  defp seen(name, queue) do
    Oban.check_queue(name, queue: queue)
  catch
    :exit, _no_process -> nil
  end

  @doc "Returns once a queue has the limit and is paused or not as `expected` says, or is gone where that is nil."
  def await(name, queue, expected, timeout \\ 10_000) do
    poll(name, queue, expected, System.monotonic_time(:millisecond) + timeout)
  end

  defp poll(name, queue, expected, deadline) do
    seen = check(name, queue)

    cond do
      (seen && [seen["limit"], seen["paused"]]) == expected ->
        :ok

      System.monotonic_time(:millisecond) > deadline ->
        raise "#{queue} should be #{inspect(expected)} and is #{inspect(seen)}"

      true ->
        Process.sleep(1)
        poll(name, queue, expected, deadline)
    end
  end

  @doc "Stops every queue of an instance and starts these, as names and limits."
  def reset(name, queues) do
    conf = Oban.config(name)

    running =
      Registry.select(Oban.Registry, [{{{name, {:producer, :"$1"}}, :_, :_}, [], [:"$1"]}])

    for queue <- running, do: Oban.Midwife.stop_queue(conf, queue)

    for {queue, limit} <- queues do
      {:ok, _pid} = Oban.Midwife.start_queue(conf, queue: queue, limit: limit)
      %{limit: ^limit} = Oban.check_queue(name, queue: queue)
    end

    :ok
  end

  @doc "Starts one more instance beside that of the application."
  def open(name, node, queues) do
    options = [
      name: name,
      node: node,
      repo: BadgeForge.Repo,
      prefix: Oban.config().prefix,
      queues: queues
    ]

    spec = Supervisor.child_spec({Oban, options}, id: {:interop, name})
    {:ok, _pid} = Supervisor.start_child(BadgeForge.Supervisor, spec)
    for {queue, _limit} <- queues, do: Oban.check_queue(name, queue: queue)
    :ok
  end

  @doc "Stops such an instance."
  def close(name) do
    :ok = Supervisor.terminate_child(BadgeForge.Supervisor, {:interop, name})
    :ok = Supervisor.delete_child(BadgeForge.Supervisor, {:interop, name})
  end

  @doc "Tells the harness of every message on these channels, as the event `heard`, until the node ends."
  def listen(channels) do
    channels = for channel <- channels, do: String.to_atom(channel)
    asker = self()

    spawn(fn ->
      :ok = Oban.Notifier.listen(Oban, channels)
      send(asker, :listening)
      hear()
    end)

    receive do
      :listening -> :ok
    after
      5_000 -> raise "no notifier took the channels"
    end
  end

  defp hear do
    receive do
      {:notification, channel, payload} ->
        Bridge.Console.send("heard", [to_string(channel), payload])
        hear()
    end
  end

  @doc "Sends a message as an application would."
  def notify(channel, payload), do: Oban.Notifier.notify(Oban, String.to_atom(channel), payload)

  @doc "The notifier's process, which junk would have replaced."
  def notifier, do: inspect(Oban.Registry.whereis(Oban, Oban.Notifier))
end
