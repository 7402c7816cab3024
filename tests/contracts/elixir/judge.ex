defmodule Judge do
  @moduledoc """
  An Elixir that checks, casts and dumps values, driven over its standard input and output.

  A request is a 4-byte length and a term in external format, `{command, argument}`; so is the answer.
  """

  alias Sample.Contracts.Runtime

  def main do
    Code.put_compiler_option(:ignore_module_conflict, true)
    loop(Port.open({:fd, 0, 1}, [{:packet, 4}, :binary, :eof]))
  end

  defp loop(port) do
    receive do
      {^port, {:data, request}} ->
        Port.command(port, request |> :erlang.binary_to_term() |> answer() |> :erlang.term_to_binary())
        loop(port)

      {^port, :eof} ->
        System.halt(0)
    end
  end

  defp answer({command, argument}) do
    {:ok, run(command, argument)}
  rescue
    error -> {:raised, Exception.message(error)}
  end

  defp run(:version, _none), do: System.version()

  # For each schema, with the text of its shape, the violations of each value
  defp run(:check, {mode, groups}) do
    for {schema, shape, values} <- groups do
      {shape, _binding} = Code.eval_string(shape)
      for value <- values, do: value |> Runtime.Check.check(schema, mode, shape) |> Enum.map(&pair/1)
    end
  end

  # Compiles modules, which stay in memory
  defp run(:compile, source) do
    for {module, _binary} <- Code.compile_string(source), do: inspect(module)
  end

  # For each module and value, what it is once cast and dumped again, or the violations; a value that
  # readers take and writers don't is refused
  defp run(:cast, groups) do
    for {module, values} <- groups do
      module = Module.concat([module])
      for value <- values, do: value |> module.cast() |> back(module)
    end
  end

  # The value of an expression of Elixir, as text
  defp run(:evaluate, expression) do
    {value, _binding} = Code.eval_string(expression)
    inspect(value, limit: :infinity, printable_limit: :infinity)
  end

  defp run(:patterns, _none), do: Runtime.Formats.patterns()

  # For each pattern, in the dialect of `:re`, whether it is found in each text
  defp run(:match, groups) do
    for {pattern, texts} <- groups, do: Enum.map(texts, &Runtime.Formats.match?(&1, pattern))
  end

  defp back({:ok, value}, module) do
    {:ok, inspect(value, limit: :infinity), dumped(value, module)}
  end

  defp back({:error, violations}, _module), do: {:error, Enum.map(violations, &pair/1)}

  defp dumped(value, module) do
    module.dump(value)
  rescue
    ArgumentError -> :refused
  end

  defp pair(violation), do: {violation.path, violation.rule}
end
