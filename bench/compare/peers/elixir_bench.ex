defmodule Bench.Tally do
  @moduledoc "What the jobs of this node tell of themselves."

  def reset do
    :persistent_term.put(__MODULE__, :atomics.new(3, signed: false))
    :ets.whereis(__MODULE__) != :undefined && :ets.delete(__MODULE__)
    asker = self()
    # The table belongs to a process that stays.
    spawn(fn ->
      :ets.new(__MODULE__, [:named_table, :public, :duplicate_bag, write_concurrency: true])
      send(asker, :open)
      Process.sleep(:infinity)
    end)

    receive do
      :open -> :ok
    end
  end

  def note do
    tally = :persistent_term.get(__MODULE__)

    if :atomics.add_get(tally, 1, 1) == 1 do
      :atomics.put(tally, 2, System.os_time(:microsecond))
      :atomics.put(tally, 3, cpu())
    end

    :ok
  end

  def stamp(sent) do
    :ets.insert(__MODULE__, {:delay, System.os_time(:microsecond) / 1_000_000 - sent})
    note()
  end

  def count, do: :atomics.get(:persistent_term.get(__MODULE__), 1)

  @doc """
  Returns the count once it is another than the one told: when it has reached the target, has stood still for 20 ms, or
  half a second has passed. So a drain costs the node two questions a second, and its end is known at once.
  """
  def await(told, target), do: await(told, target, count(), 0, 100)

  defp await(told, target, last, still, left) do
    Process.sleep(5)
    now = count()
    still = if now == last, do: still + 1, else: 0

    if now == target or left == 1 or (now != told and still >= 4),
      do: now,
      else: await(told, target, now, still, left - 1)
  end

  def usage do
    tally = :persistent_term.get(__MODULE__)
    first = :atomics.get(tally, 2) / 1_000_000
    spent = (cpu() - :atomics.get(tally, 3)) / 1000
    delays = for {:delay, delay} <- :ets.tab2list(__MODULE__), do: delay
    %{ran: count(), first: first, cpu: spent, delays: delays}
  end

  defp cpu, do: elem(:erlang.statistics(:runtime), 0)

  def enqueue(kind, count) do
    worker = Module.concat(Bench, kind)
    jobs = for number <- 1..count, do: worker.new(%{n: number})
    # A statement takes at most 65,535 parameters, nine of them a job.
    insert = fn -> jobs |> Stream.chunk_every(5_000) |> Enum.each(&Oban.insert_all/1) end
    {micro, _jobs} = :timer.tc(insert)
    micro / 1_000_000
  end
end

defmodule Bench.Noop do
  use Oban.Worker, queue: :bench
  def perform(_job), do: Bench.Tally.note()
end

defmodule Bench.Sleep do
  use Oban.Worker, queue: :bench

  def perform(_job) do
    Process.sleep(10)
    Bench.Tally.note()
  end
end

defmodule Bench.Stamp do
  use Oban.Worker, queue: :bench
  def perform(%{args: %{"t" => sent}}), do: Bench.Tally.stamp(sent)
end
