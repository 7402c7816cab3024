defmodule BadgeForge.Settings do
  @moduledoc """
  Reads the environment, for `config/runtime.exs`. An empty variable counts as unset.

    * `DATABASE_URL` - the database that Python's nodes use too; `?host=/folder` is a Unix socket's
    * `POOL_SIZE` - connections, 10 by default
    * `OBAN_PREFIX` - the schema of Oban's tables, `public` by default
    * `OBAN_NODE` - this node's name in the table; by default Oban chooses
    * `OBAN_QUEUES` - queues and their limits, `printing:10` by default; empty for none
  """

  @encrypted ~w(require verify-ca verify-full)

  @type env :: %{optional(String.t()) => String.t()}

  @doc "Returns options of `BadgeForge.Repo`. Raises `ArgumentError` for a value that is none."
  @spec repo(env(), required: boolean()) :: keyword()
  def repo(env, required: required?) do
    database(value(env, "DATABASE_URL"), required?) ++
      [pool_size: pool_size(value(env, "POOL_SIZE"))]
  end

  @doc "Returns options of `Oban`. Raises `ArgumentError` for a value that is none."
  @spec oban(env()) :: keyword()
  def oban(env) do
    node = value(env, "OBAN_NODE")

    [prefix: prefix(value(env, "OBAN_PREFIX")), queues: queues(env["OBAN_QUEUES"])] ++
      if(node, do: [node: node], else: [])
  end

  defp database(nil, false), do: []
  defp database(nil, true), do: no_database!("it is not set")

  defp database(url, _required?) do
    if not (url =~ ~r"^(postgres|postgresql|ecto)://[^/]*/[^/?]+"),
      do: no_database!("it is something else")

    uri = URI.parse(url)

    # Parameters of libpq, and so of Python, that Ecto would pass over.
    case URI.decode_query(uri.query || "") do
      %{"host" => "/" <> _ = folder} = query -> socket(uri, folder, query["port"] || "5432")
      %{"sslmode" => mode} when mode in @encrypted -> [url: url, ssl: true]
      _other -> [url: url]
    end
  end

  defp socket(uri, folder, port) do
    url = URI.to_string(%{uri | host: "localhost", port: String.to_integer(port), query: nil})
    [url: url, socket_dir: folder]
  end

  # The value stays out of the message: it may hold a password.
  @spec no_database!(String.t()) :: no_return()
  defp no_database!(found) do
    raise ArgumentError,
          "DATABASE_URL: expected the database that Python's nodes use too, " <>
            "such as \"postgres://app:secret@localhost/app\", and #{found}"
  end

  defp prefix(nil), do: "public"

  defp prefix(text) do
    if String.contains?(text, ~s(")) do
      invalid!("OBAN_PREFIX", "a schema's name without double quotes, which Ecto refuses", text)
    end

    text
  end

  defp queues(nil), do: [printing: 10]

  defp queues(text) do
    for queue <- String.split(text, ",", trim: true) do
      with [name, limit] when name != "" <- queue |> String.trim() |> String.split(":"),
           {:ok, limit} <- positive(limit) do
        {String.to_atom(name), limit}
      else
        _other -> invalid!("OBAN_QUEUES", ~s(queues and limits as in "printing:10,mail:5"), text)
      end
    end
  end

  defp pool_size(nil), do: 10

  defp pool_size(text) do
    case positive(text) do
      {:ok, size} -> size
      :error -> invalid!("POOL_SIZE", "a positive integer", text)
    end
  end

  defp positive(text) do
    case Integer.parse(text) do
      {number, ""} when number > 0 -> {:ok, number}
      _other -> :error
    end
  end

  @spec invalid!(String.t(), String.t(), String.t()) :: no_return()
  defp invalid!(variable, expected, text) do
    raise ArgumentError, "#{variable}: expected #{expected}, got #{inspect(text)}"
  end

  defp value(env, variable) do
    case env[variable] do
      "" -> nil
      value -> value
    end
  end
end
