defmodule Interop.Rows do
  @moduledoc "What Elixir makes of rows that another language wrote, and the changes to them that releases do in their own ways."

  import Ecto.Query, only: [where: 2, where: 3]

  @times [:inserted_at, :scheduled_at, :attempted_at, :completed_at, :cancelled_at, :discarded_at]

  @doc """
  Loads a job as `Oban.Job`, as code that runs jobs does; nil if there is none. Raises where a time is none of UTC with
  microseconds, or an error is none that Oban Web could show. `ats` are the errors' times, parsed.
  """
  def read(id) do
    with %Oban.Job{} = job <- Oban.Repo.one(Oban.config(), where(Oban.Job, id: ^id)) do
      for field <- @times, time = Map.fetch!(job, field) do
        %DateTime{time_zone: "Etc/UTC", utc_offset: 0, microsecond: {_, 6}} = time
      end

      job
      |> Map.take(Oban.Job.__schema__(:fields))
      |> Map.new(fn {field, value} -> {to_string(field), value} end)
      |> Map.put("ats", for(error <- job.errors, do: at(error)))
    end
  end

  defp at(%{"at" => at, "error" => text, "attempt" => attempt}) when is_binary(text) and attempt > 0 do
    {:ok, time, 0} = DateTime.from_iso8601(at)
    time
  end

  @doc "Moves a job to another queue: by `Oban.update_job/2`, which there is from 2.20 on."
  def move(id, queue) do
    if function_exported?(Oban, :update_job, 2) do
      {:ok, job} = apply(Oban, :update_job, [id, %{queue: queue}])
      job.queue == queue
    else
      Oban.Repo.update_all(Oban.config(), where(Oban.Job, id: ^id), set: [queue: queue]) == {1, nil}
    end
  end

  @doc "Deletes a job that doesn't run: by `Oban.delete_job/1`, which there is from 2.19 on."
  def delete(id) do
    if function_exported?(Oban, :delete_job, 1) do
      apply(Oban, :delete_job, [id])
    else
      query = Oban.Job |> where(id: ^id) |> where([j], j.state != "executing")
      Oban.Repo.delete_all(Oban.config(), query)
      :ok
    end
  end
end
