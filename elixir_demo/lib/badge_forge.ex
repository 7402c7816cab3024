defmodule BadgeForge do
  @moduledoc """
  The Elixir side of Badge Forge: it orders badges and prints them.

      BadgeForge.enqueue_batch/1   inserts jobs for `python_demo.workers.GenerateBadge`,
      Python                       renders a PDF for each and inserts a job for
      BadgeForge.PrintCenter       which prints it.

  What the two sides hand each other is described by the contracts in `BadgeForge.Contracts`.
  """

  alias BadgeForge.Contracts.GenerateBadge
  alias BadgeForge.Repo

  # A statement of PostgreSQL takes 65,535 parameters at most, and a job has more than ten.
  @rows 1_000

  @names ["Ada Lovelace", "Joe Armstrong", "José Valim", "Zoë Wójcik", "Nguyễn Thị Hương"]
  @companies ["Analytical Engines", "Harbour & Sons", "Nordlys Data AS", nil]
  @types [:attendee, :attendee, :attendee, :speaker, :sponsor, :organizer]

  @doc """
  Inserts `count` badges, all or none, and returns their jobs in order.

  ## Examples

      BadgeForge.enqueue_batch(20)

  """
  @spec enqueue_batch(non_neg_integer()) :: [Oban.Job.t()]
  def enqueue_batch(count \\ 20) when is_integer(count) and count >= 0 do
    {:ok, jobs} =
      Repo.transaction(fn ->
        1..count//1
        |> Stream.map(&GenerateBadge.new(badge(&1)))
        |> Stream.chunk_every(@rows)
        |> Enum.flat_map(&Oban.insert_all/1)
      end)

    jobs
  end

  defp badge(id) do
    %GenerateBadge{
      id: id,
      name: Enum.random(@names),
      company: Enum.random(@companies),
      type: Enum.random(@types)
    }
  end
end
