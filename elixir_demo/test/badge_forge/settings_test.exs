defmodule BadgeForge.SettingsTest do
  use ExUnit.Case, async: true

  alias BadgeForge.Settings

  @url "postgres://app:secret@localhost/app"

  describe "repo/2" do
    test "takes the database and the pool's size" do
      env = %{"DATABASE_URL" => @url, "POOL_SIZE" => "3"}

      assert Settings.repo(env, required: true) == [url: @url, pool_size: 3]
    end

    test "connects through the socket that libpq's host parameter names" do
      for {url, same} <- [
            {"postgresql://me@/app?host=%2Frun%2Fpg&port=5433",
             "postgresql://me@localhost:5433/app"},
            {"postgres://me:a%40b@/app?host=/run/pg", "postgres://me:a%40b@localhost:5432/app"},
            {"postgres:///app?host=/run/pg", "postgres://localhost:5432/app"}
          ] do
        assert Settings.repo(%{"DATABASE_URL" => url}, required: true) ==
                 [url: same, socket_dir: "/run/pg", pool_size: 10]
      end
    end

    test "connects by TLS where libpq would insist on it" do
      for {mode, ssl} <- [{"disable", nil}, {"require", true}, {"verify-full", true}] do
        url = @url <> "?sslmode=" <> mode

        assert Settings.repo(%{"DATABASE_URL" => url}, required: true)[:ssl] == ssl
      end
    end

    test "wants a database only where one is required" do
      assert Settings.repo(%{"DATABASE_URL" => ""}, required: false) == [pool_size: 10]

      assert_raise ArgumentError, ~r/^DATABASE_URL: expected .* such as "postgres:/, fn ->
        Settings.repo(%{"DATABASE_URL" => ""}, required: true)
      end
    end

    test "refuses what is no database, without showing it" do
      for url <- [
            "app",
            "localhost/app",
            "mysql://a:hush@b/c",
            "postgres://a:hush@b",
            "postgres://b/"
          ] do
        error =
          assert_raise ArgumentError, ~r/^DATABASE_URL: expected/, fn ->
            Settings.repo(%{"DATABASE_URL" => url}, required: false)
          end

        refute error.message =~ "hush"
      end
    end

    test "refuses a pool's size that is none" do
      for size <- ["0", "-1", "ten", "10 ", "1.5"] do
        message = "POOL_SIZE: expected a positive integer, got #{inspect(size)}"

        assert_raise ArgumentError, message, fn ->
          Settings.repo(%{"POOL_SIZE" => size}, required: false)
        end
      end
    end
  end

  describe "oban/1" do
    test "has the contract's queue in the public schema by default" do
      defaults = [prefix: "public", queues: [printing: 10]]

      assert Settings.oban(%{}) == defaults
      assert Settings.oban(%{"OBAN_PREFIX" => "", "OBAN_NODE" => ""}) == defaults
    end

    test "takes prefix, queues and node" do
      env = %{
        "OBAN_PREFIX" => "badges",
        "OBAN_QUEUES" => "printing:5, mail:1",
        "OBAN_NODE" => "forge-1"
      }

      assert Settings.oban(env) ==
               [prefix: "badges", queues: [printing: 5, mail: 1], node: "forge-1"]
    end

    test "runs no queues where the variable is empty" do
      assert Settings.oban(%{"OBAN_QUEUES" => ""})[:queues] == []
    end

    test "says what was expected of queues" do
      for queues <- ["printing", "printing:x", "printing:0", ":10", "a:1:2", "mail:1,printing:"] do
        message =
          ~s(OBAN_QUEUES: expected queues and limits as in "printing:10,mail:5", ) <>
            "got #{inspect(queues)}"

        assert_raise ArgumentError, message, fn ->
          Settings.oban(%{"OBAN_QUEUES" => queues})
        end
      end
    end

    test "refuses a prefix that Ecto can't quote" do
      assert_raise ArgumentError, ~r/^OBAN_PREFIX: .* got "a\\"b"$/, fn ->
        Settings.oban(%{"OBAN_PREFIX" => ~s(a"b)})
      end
    end
  end

  test "what it returns is what Oban takes" do
    config = [repo: BadgeForge.Repo] ++ Settings.oban(%{"OBAN_QUEUES" => "printing:5"})

    assert :ok = Oban.Config.validate(config)
  end
end
