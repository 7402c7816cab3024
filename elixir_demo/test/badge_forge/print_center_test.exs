defmodule BadgeForge.PrintCenterTest do
  use BadgeForge.DataCase, async: true

  import ExUnit.CaptureLog

  alias BadgeForge.Contracts
  alias BadgeForge.PrintCenter

  @moduletag :tmp_dir
  @moduletag :capture_log

  test "prints a PDF, and says which in the log", %{tmp_dir: folder} do
    path = write(folder, "%PDF-1.7\n…")

    log = capture_log(fn -> assert :ok = perform_job(PrintCenter, args(path)) end)

    assert log =~ "printing badge 7 of Zoë Wójcik: #{path}"
  end

  test "fails for a file that is missing, so that the job is retried", %{tmp_dir: folder} do
    path = Path.join(folder, "none.pdf")

    assert perform_job(PrintCenter, args(path)) ==
             {:error, "can't read #{path}: no such file or directory"}
  end

  test "fails for a file that is no PDF", %{tmp_dir: folder} do
    for {text, found} <- [
          {"", "is empty"},
          {"%PD", ~s(begins with "%PD")},
          {"<html>", ~s(begins with "<html")}
        ] do
      path = write(folder, text)

      assert perform_job(PrintCenter, args(path)) ==
               {:error, "expected a PDF in #{path}, and it #{found}"}
    end
  end

  test "cancels a job whose args break the contract, with every violation" do
    job = %Oban.Job{args: %{"id" => 0}}

    assert {:cancel, "PrintCenter@1: " <> violations} = PrintCenter.perform(job)
    for name <- ["/id", "/name", "/path"], do: assert(violations =~ name)
  end

  test "refuses to build a job whose args break the contract" do
    assert_raise ArgumentError, ~r|/name: expected this field|, fn ->
      PrintCenter.new(%{"id" => 7, "path" => "/srv/badges/7.pdf"})
    end
  end

  test "is enqueued with the options of the contract" do
    Contracts.PrintCenter
    |> struct!(id: 7, name: "Zoë Wójcik", path: "/srv/badges/7.pdf")
    |> Contracts.PrintCenter.new()
    |> Oban.insert!()

    assert_enqueued(worker: PrintCenter, queue: :printing, args: %{id: 7})
  end

  test "runs jobs of its queue", %{tmp_dir: folder} do
    folder |> write("%PDF-1.7") |> args() |> PrintCenter.new() |> Oban.insert!()

    assert %{success: 1, failure: 0} = Oban.drain_queue(queue: :printing)
  end

  defp args(path), do: %{"id" => 7, "name" => "Zoë Wójcik", "path" => path}

  defp write(folder, text) do
    path = Path.join(folder, "badge.pdf")
    File.write!(path, text)
    path
  end
end
