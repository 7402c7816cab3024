defmodule BadgeForgeTest do
  use BadgeForge.DataCase, async: true

  alias BadgeForge.Contracts.BadgeFile
  alias BadgeForge.Contracts.GenerateBadge

  describe "enqueue_batch/1" do
    test "inserts jobs for Python's worker as the contract has it" do
      jobs = BadgeForge.enqueue_batch(3)

      assert Enum.map(jobs, & &1.args["id"]) == [1, 2, 3]

      for job <- jobs do
        assert %{worker: "python_demo.workers.GenerateBadge", queue: "badges"} = job
        assert %{state: "available", max_attempts: 5} = job
        assert job.meta["contract"] == "GenerateBadge@1"
        assert {:ok, %GenerateBadge{}} = GenerateBadge.cast(job.args)
      end

      ids = Enum.map(all_enqueued(queue: "badges"), & &1.id)
      assert Enum.sort(ids) == Enum.map(jobs, & &1.id)
    end

    test "takes more jobs than one statement of PostgreSQL holds" do
      jobs = BadgeForge.enqueue_batch(8_000)

      assert Enum.map(jobs, & &1.args["id"]) == Enum.to_list(1..8_000)
      assert length(all_enqueued(queue: "badges")) == 8_000
    end

    test "inserts nothing for a batch of none" do
      assert BadgeForge.enqueue_batch(0) == []
      refute_enqueued(queue: "badges")
    end

    test "refuses what is no count" do
      for count <- [-1, 1.5, "3"] do
        assert_raise FunctionClauseError, fn -> BadgeForge.enqueue_batch(count) end
      end
    end
  end

  describe "the contract of a badge" do
    test "refuses args that break it, with every violation, before there is a job" do
      error =
        assert_raise ArgumentError, fn ->
          GenerateBadge.new(%GenerateBadge{id: 0, name: "", type: :guest})
        end

      for path <- ["/id", "/name", "/type"], do: assert(error.message =~ path)
    end

    test "does not compile with a field that it doesn't declare" do
      source = ~s(%BadgeForge.Contracts.GenerateBadge{badge_id: 1, name: "Ada"})

      assert_raise KeyError, fn -> Code.eval_string(source) end
    end

    test "reads the result that Python recorded" do
      file = %{"path" => "/srv/badges/badge-1.pdf", "size" => 20_480, "pages" => 1}
      return = file |> :erlang.term_to_binary() |> Base.encode64(padding: false)

      assert {:ok, %BadgeFile{path: "/srv/badges/badge-1.pdf", size: 20_480}} =
               GenerateBadge.fetch_result(%{meta: %{"recorded" => true, "return" => return}})

      assert GenerateBadge.fetch_result(%{meta: %{}}) == {:error, :not_recorded}
    end
  end
end
