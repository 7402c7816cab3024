defmodule Bridge.Console do
  @moduledoc false
  # The node's end of the harness. It connects to the harness, evaluates what it is sent, each expression in a process
  # of its own, and answers in Erlang's term format. A node that belongs to the harness ends with the connection.

  import Kernel, except: [send: 2]

  @consoles {__MODULE__, :consoles}

  def main(%{owns: true} = options) do
    case open(options) do
      {:ok, socket} ->
        serve(socket)
        System.halt(1)

      {:error, reason} ->
        IO.puts(:stderr, "the interop harness on port #{options.port} can't be reached: #{inspect(reason)}")
        System.halt(1)
    end
  end

  def main(%{owns: false} = options) do
    starter = self()

    spawn(fn ->
      Process.group_leader(self(), Process.whereis(:user))
      opened = open(options)
      Kernel.send(starter, {__MODULE__, opened})
      with {:ok, socket} <- opened, do: serve(socket)
    end)

    receive do
      {__MODULE__, {:ok, _socket}} -> :ok
      {__MODULE__, {:error, reason}} -> raise "the interop harness can't be reached: #{inspect(reason)}"
    end
  end

  @doc "Sends an event to the harness; `await node.event(name)` returns the term."
  def send(name, term \\ nil) do
    for socket <- :persistent_term.get(@consoles, []), do: tell(socket, {:event, to_string(name), pack(term)})
    :ok
  end

  @doc "Calls `fun` every 5 ms until it returns neither nil nor false, and returns that; raises after `timeout` ms."
  def await(fun, timeout \\ 10_000) do
    poll(fun, System.monotonic_time(:millisecond) + timeout, timeout)
  end

  defp poll(fun, deadline, timeout) do
    cond do
      value = fun.() ->
        value

      System.monotonic_time(:millisecond) > deadline ->
        raise "still #{inspect(fun.())} after #{timeout} ms"

      true ->
        Process.sleep(5)
        poll(fun, deadline, timeout)
    end
  end

  defp open(%{host: host, port: port, token: token}) do
    options = [:binary, packet: 4, active: false, nodelay: true, keepalive: true]

    with {:ok, socket} <- :gen_tcp.connect(String.to_charlist(host), port, options, 10_000),
         :ok <- :gen_tcp.send(socket, token) do
      :persistent_term.put(@consoles, [socket | :persistent_term.get(@consoles, [])])
      tell(socket, {:hello, System.version(), System.otp_release(), System.pid()})
      {:ok, socket}
    end
  end

  defp serve(socket) do
    case :gen_tcp.recv(socket, 0) do
      {:ok, request} ->
        [id, code, bindings] = :erlang.binary_to_term(request)
        spawn(fn -> tell(socket, {:reply, id, evaluate(code, bindings)}) end)
        serve(socket)

      {:error, _closed} ->
        :persistent_term.put(@consoles, List.delete(:persistent_term.get(@consoles, []), socket))
    end
  end

  defp tell(socket, term), do: :gen_tcp.send(socket, pack(term))

  defp evaluate(code, bindings) do
    bindings = for {name, value} <- bindings, do: {String.to_atom(name), value}
    quietly(fn -> run(code, bindings) end)
  end

  defp run(code, bindings) do
    {value, _bindings} = Code.eval_string(code, bindings, file: "rpc")
    {:ok, pack(value)}
  catch
    kind, reason ->
      {:error, Exception.format_banner(kind, reason, __STACKTRACE__), Exception.format_stacktrace(__STACKTRACE__)}
  end

  defp pack(term), do: :erlang.term_to_binary(term)

  # From Elixir 1.15 on a CompileError only says that errors were logged; they are its diagnostics.
  defp quietly(fun) do
    if function_exported?(Code, :with_diagnostics, 2) do
      case apply(Code, :with_diagnostics, [[log: false], fun]) do
        {{:error, banner, trace}, [_ | _] = found} ->
          {:error, Enum.join([banner | Enum.map(found, & &1.message)], "\n"), trace}

        {result, _found} ->
          result
      end
    else
      fun.()
    end
  end
end
