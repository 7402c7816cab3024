defmodule BadgeForge.PrintCenter do
  @moduledoc """
  Prints the badges that Python has rendered.

  A badge whose file is missing, or is no PDF, is an error: the job is retried, for it may run
  before the file has reached the printer's disk. Args that break the contract cancel the job.
  """

  use BadgeForge.Contracts.PrintCenter

  require Logger

  alias BadgeForge.Contracts

  @signature "%PDF-"

  @impl Contracts.PrintCenter
  def process(%Contracts.PrintCenter{} = badge, _job) do
    with :ok <- check(badge.path) do
      Logger.info("printing badge #{badge.id} of #{badge.name}: #{badge.path}")
    end
  end

  defp check(path) do
    case File.open(path, [:read, :binary], &IO.binread(&1, byte_size(@signature))) do
      {:ok, @signature} -> :ok
      {:ok, :eof} -> {:error, "expected a PDF in #{path}, and it is empty"}
      {:ok, start} -> {:error, "expected a PDF in #{path}, and it begins with #{inspect(start)}"}
      {:error, reason} -> {:error, "can't read #{path}: #{:file.format_error(reason)}"}
    end
  end
end
