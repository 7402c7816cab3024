defmodule Interop.Jobs do
  @moduledoc "Inserts as tests in Python ask for them, with text where Oban has atoms."

  alias BadgeForge.Repo

  @doc "Inserts a job; returns its fields, and `conflict?`, as `Oban.insert/1` returned them."
  def insert(worker, args \\ %{}, opts \\ %{}) do
    {:ok, job} = worker |> changeset(args, opts) |> Oban.insert()
    shown(job)
  end

  @doc "Inserts `[worker, args, opts]` each, a thousand at a time, in one transaction."
  def insert_all(jobs) do
    {:ok, jobs} =
      Repo.transaction(fn ->
        jobs
        |> Stream.map(fn [worker, args, opts] -> changeset(worker, args, opts) end)
        |> Stream.chunk_every(1_000)
        |> Enum.flat_map(&Oban.insert_all/1)
      end)

    for job <- jobs, do: job.id
  end

  @doc "Inserts in a transaction that stays open until `settle/1`, called from elsewhere, says how it ends."
  def hold(jobs) do
    asker = self()

    holder =
      spawn(fn ->
        Repo.transaction(fn ->
          send(asker, {:held, Enum.map(jobs, fn [worker, args, opts] -> insert(worker, args, opts)["id"] end)})

          receive do
            {:settle, :rollback} -> Repo.rollback(:told)
            {:settle, :commit} -> :ok
          end
        end)
      end)

    Process.register(holder, __MODULE__)
    receive do: ({:held, ids} -> ids)
  end

  @doc "Ends the transaction of `hold/1`, `:commit` or `:rollback`, and returns once it has ended."
  def settle(how) do
    monitor = __MODULE__ |> Process.whereis() |> Process.monitor()
    send(__MODULE__, {:settle, how})
    receive do: ({:DOWN, ^monitor, :process, _holder, :normal} -> true)
  end

  def shown(job) do
    for field <- [:conflict? | Oban.Job.__schema__(:fields)], into: %{}, do: {to_string(field), Map.get(job, field)}
  end

  @doc "The changeset of a job; options have text for keys and, in `unique` and `replace`, for atoms."
  def changeset(worker, args, opts) do
    Oban.Job.new(args, [worker: worker] ++ for({key, value} <- opts, do: option(String.to_atom(key), value)))
  end

  defp option(:unique, unique) when is_map(unique) do
    {:unique, for({key, value} <- unique, do: {String.to_atom(key), atoms(value)})}
  end

  defp option(:replace, replace) when is_map(replace) do
    {:replace, for({state, fields} <- replace, do: {String.to_atom(state), atoms(fields)})}
  end

  defp option(:replace, fields), do: {:replace, atoms(fields)}
  defp option(key, value), do: {key, value}

  defp atoms(list) when is_list(list), do: Enum.map(list, &atoms/1)
  defp atoms(text) when is_binary(text), do: String.to_atom(text)
  defp atoms(other), do: other
end
