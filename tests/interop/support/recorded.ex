defmodule Interop.Recorder do
  @moduledoc """
  A worker that records what its args' `source` evaluates to, as a node without Oban Pro may: `meta.recorded` and
  `meta.return`. The value is kept too, to compare it with what another language made of it.
  """
  use Oban.Worker, queue: :elixir

  import Ecto.Query, only: [where: 2]

  @impl Oban.Worker
  def perform(%{args: %{"source" => source} = args} = job) do
    {value, _bindings} = Code.eval_string(source)
    keep(job.id, value)
    write(job, text(value, args["options"] || [], args["padding"] || false))
  end

  @doc "The text of `meta.return`."
  def text(value, options, padding) do
    options =
      for option <- options, do: if(is_list(option), do: List.to_tuple(atoms(option)), else: hd(atoms([option])))

    value |> :erlang.term_to_binary(options) |> Base.encode64(padding: padding)
  end

  defp atoms(parts), do: for(part <- parts, do: if(is_binary(part), do: String.to_atom(part), else: part))

  def write(job, text) do
    meta = Map.merge(job.meta, %{"recorded" => true, "return" => text})
    {1, nil} = Oban.Repo.update_all(Oban.config(), where(Oban.Job, id: ^job.id), set: [meta: meta])
    :ok
  end

  @doc "Inserts jobs that have run, with a recorded text each; returns their ids."
  def insert(texts, opts) do
    opts = Keyword.merge([worker: "Interop.Recorder", queue: :nobody, state: "completed"], opts)

    jobs =
      for text <- texts do
        meta = %{"recorded" => true, "return" => text}
        Oban.Job.new(%{}, [meta: meta] ++ opts)
      end

    for chunk <- Enum.chunk_every(jobs, 500), job <- Oban.insert_all(chunk), do: job.id
  end

  def keep(key, value), do: :persistent_term.put({__MODULE__, key}, value)

  @doc "Whether bytes that came back are the very value that was kept."
  def kept?(key, binary), do: :persistent_term.get({__MODULE__, key}) === :erlang.binary_to_term(binary)

  @doc "As Elixir reads a recorded value: with neither Oban Pro nor new atoms."
  def read(id) do
    job = Oban.Repo.get(Oban.config(), Oban.Job, id)
    true = job.meta["recorded"]
    read_text(job.meta["return"])
  end

  def read_text(text), do: text |> Base.decode64!(padding: false) |> :erlang.binary_to_term([:safe])
end

defmodule Interop.Random do
  @moduledoc "Random terms, the same for the same seed."

  @atoms [nil, true, false, :ok, :error, :undefined, :"", :"a b", :ünï, :日本]

  def terms(seed, count), do: seeded(seed, count, fn -> term(5) end)

  @doc "Values that JSON has, too."
  def plain(seed, count), do: seeded(seed, count, fn -> json(4) end)

  defp seeded(seed, count, fun) do
    :rand.seed(:exsss, seed)
    for _ <- 1..count, do: fun.()
  end

  defp term(0), do: leaf()

  defp term(depth) do
    case :rand.uniform(16) do
      1 -> some(fn -> term(depth - 1) end)
      2 -> some(fn -> term(depth - 1) end) |> List.to_tuple()
      3 -> Map.new(some(fn -> {leaf(), term(depth - 1)} end))
      4 -> Map.new(some(fn -> {pick(@atoms), term(depth - 1)} end))
      5 -> Map.new(some(fn -> {text(), term(depth - 1)} end))
      6 -> [term(depth - 1) | leaf()]
      7 -> MapSet.new(some(&leaf/0))
      8 -> some(&byte/0)
      9 -> [{:key, term(depth - 1)}]
      10 -> %RuntimeError{message: text()}
      _leaf -> leaf()
    end
  end

  defp leaf do
    case :rand.uniform(14) do
      1 -> pick(@atoms)
      2 -> byte()
      n when n in 3..4 -> integer()
      5 -> float()
      n when n in 6..7 -> text()
      8 -> for(_ <- some(&byte/0), into: <<>>, do: <<byte()>>)
      9 -> <<byte()::size(3), byte()::8>>
      10 -> Decimal.new(pick([1, -1]), :rand.uniform(10 ** 12), pick([0, -2, 3]))
      11 -> moment()
      12 -> pick([&DateTime.to_date/1, &DateTime.to_time/1, &DateTime.to_naive/1]).(moment())
      13 -> Range.new(byte(), byte(), pick([1, -1, 3]))
      14 -> pick([self(), make_ref(), &String.upcase/1])
    end
  end

  defp json(0), do: json_leaf()

  defp json(depth) do
    case :rand.uniform(6) do
      1 -> some(fn -> json(depth - 1) end)
      2 -> Map.new(some(fn -> {json_text(), json(depth - 1)} end))
      3 -> some(&byte/0)
      _leaf -> json_leaf()
    end
  end

  defp json_leaf, do: pick([&integer/0, &float/0, &json_text/0, &byte/0, fn -> pick([nil, true, false]) end]).()

  defp some(fun), do: for(_ <- 1..:rand.uniform(6)//1, do: fun.()) |> tl()
  defp pick(choices), do: Enum.random(choices)
  defp byte, do: :rand.uniform(256) - 1
  defp integer, do: (:rand.uniform(2 ** :rand.uniform(600)) - 1) * pick([1, -1])
  defp float, do: pick([0.0, 0.1, 1.5, 1.0e22, 5.0e-324, 1.7976931348623157e308, :rand.uniform() - 0.5])
  defp text, do: for(_ <- some(&byte/0), into: "", do: pick(["a", "é", "€", "😀", "\0", "\"", "\\"]))
  defp json_text, do: String.replace(text(), "\0", "")
  defp moment, do: DateTime.from_unix!(:rand.uniform(10 ** 16) - 5 * 10 ** 15, :microsecond)
end

defmodule Interop.Held do
  @moduledoc "A worker that runs until it is let go."
  use Oban.Worker, queue: :elixir

  @impl Oban.Worker
  def perform(job) do
    Process.register(self(), name(job.id))
    Bridge.Console.send("held", job.id)

    receive do
      :go -> :ok
    end
  end

  def go(id), do: send(Process.whereis(name(id)), :go) == :go

  defp name(id), do: :"held_by_job_#{id}"
end
