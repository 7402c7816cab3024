defmodule Last do
  @moduledoc "An application that writes its last words when it is stopped, and not when it is killed."
  use Application
  use GenServer

  def load(path) do
    :application.load({:application, :last, [mod: {Last, path}, applications: [:kernel, :stdlib, :elixir]]})
  end

  @impl Application
  def start(_type, path) do
    child = %{id: Last, start: {GenServer, :start_link, [Last, path]}}
    Supervisor.start_link([child], strategy: :one_for_one)
  end

  @impl GenServer
  def init(path) do
    Process.flag(:trap_exit, true)
    {:ok, path}
  end

  @impl GenServer
  def terminate(_reason, path), do: File.write!(path, "last words")
end
