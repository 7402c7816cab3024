defmodule Bridge.Contracts.Runtime do
  @moduledoc """
  What this project's contract modules share: the check of a value against its schema, and the way
  between the values of JSON and those of Elixir.

  A value is checked as JSON Schema 2020-12 has it, in one of three modes:

    * `:strict` - as the schema says;
    * `:read` - an enum of texts that isn't closed takes any text, so that a value which a newer
      writer knows doesn't fail an older reader;
    * `:write` - strict, and an object with declared fields takes no others.

  All violations are found. Nothing here makes an atom out of what comes in.
  """

  alias Bridge.Contracts.Runtime.Check

  @compile {:no_warn_undefined, Oban.Job}

  @largest_result 64_000_000

  @typedoc "Any value that JSON has; objects have text keys."
  @type json :: nil | boolean() | number() | String.t() | [json()] | object()

  @type object :: %{optional(String.t()) => json()}

  @typedoc "A normalised JSON Schema."
  @type schema :: boolean() | %{optional(String.t()) => term()}

  @type mode :: :read | :write | :strict

  @typedoc "`path` is a JSON Pointer, `rule` the keyword that is broken."
  @type violation :: %{path: String.t(), rule: String.t(), message: String.t()}

  @typedoc "Why there is no result: none was recorded, or what was is no term, or breaks its contract."
  @type no_result :: :not_recorded | :too_large | :unreadable | [violation()]

  @typedoc "How a value of JSON is held in Elixir."
  @type shape :: atom() | {atom(), term()} | {atom(), term(), term()}

  # What contract modules call

  @doc "Returns a value of JSON as Elixir holds it, or every violation; for readers."
  @spec cast(term(), schema(), shape()) :: {:ok, term()} | {:error, [violation(), ...]}
  def cast(value, schema, shape) do
    value = renamed(value, shape)

    case Check.check(value, schema, :read) do
      [] -> {:ok, build(value, shape)}
      violations -> {:error, violations}
    end
  end

  @doc "Returns a value as JSON has it; raises `ArgumentError` with every violation; for writers."
  @spec dump(term(), schema(), shape()) :: json()
  def dump(value, schema, shape) do
    plain = plain(value, shape)

    case Check.check(plain, schema, :write, shape) do
      [] -> plain
      violations -> raise ArgumentError, "#{name(shape)}: #{describe(violations)}"
    end
  end

  @doc "As `cast/3`, for one of several named parts, such as events; another name raises `ArgumentError`."
  @spec cast_part(term(), %{String.t() => {schema(), shape()}}, String.t()) ::
          {:ok, term()} | {:error, [violation(), ...]}
  def cast_part(value, parts, name) do
    {schema, shape} = part!(parts, name)
    cast(value, schema, shape)
  end

  @doc "As `dump/3`, for one of several named parts."
  @spec dump_part(term(), %{String.t() => {schema(), shape()}}, String.t()) :: json()
  def dump_part(value, parts, name) do
    {schema, shape} = part!(parts, name)
    dump(value, schema, shape)
  end

  defp part!(parts, name) do
    case parts do
      %{^name => part} ->
        part

      _unknown ->
        known = parts |> Map.keys() |> Enum.join(" or ")
        raise ArgumentError, "expected #{known}, got #{inspect(name)}"
    end
  end

  @doc "Returns the changeset of a job; `opts` win over the contract's own, save for its mark in `meta`."
  @spec new(object(), keyword(), keyword()) :: Oban.Job.changeset()
  def new(args, job, opts) do
    meta = Map.merge(Map.new(opts[:meta] || %{}), job[:meta])
    Oban.Job.new(args, job |> known_states() |> Keyword.merge(opts) |> Keyword.put(:meta, meta))
  end

  # Oban refuses states of unique jobs that it doesn't know: `suspended` came with 2.21
  defp known_states(job) do
    case job[:unique][:states] do
      nil -> job
      states -> put_in(job[:unique][:states], Enum.filter(states, &(&1 in Oban.Job.states())))
    end
  end

  @doc "Returns what a job's worker recorded in its `meta`, cast by `cast`."
  @spec fetch_result(map(), (term() -> result)) :: result | {:error, no_result()}
        when result: {:ok, term()} | {:error, [violation(), ...]}
  def fetch_result(job, cast) do
    with {:ok, text} <- recorded(job),
         {:ok, term} <- read_term(text) do
      term |> json() |> cast.()
    end
  end

  @doc "Runs `worker.process/2` with a job's args; args that break the contract, by its `tag`, cancel the job."
  @spec perform(map(), module(), String.t(), module()) :: term()
  def perform(job, contract, tag, worker) do
    case contract.cast(job.args) do
      {:ok, args} -> worker.process(args, job)
      {:error, violations} -> {:cancel, "#{tag}: #{describe(violations)}"}
    end
  end

  @doc "Returns the code of `use contract` in the worker of that contract."
  @spec worker(module(), keyword(), keyword(), Macro.t()) :: Macro.t()
  def worker(contract, job, served, opts) do
    base = job |> Keyword.drop([:worker, :meta]) |> known_states()
    tag = job[:meta]["contract"]

    quote location: :keep do
      unquote(__MODULE__).own_worker!(__MODULE__, unquote(contract), unquote(served[:names]))

      @behaviour unquote(contract)
      @contract_opts Keyword.merge(unquote(Macro.escape(base)), unquote(opts))
      use Oban.Worker, @contract_opts

      @impl Oban.Worker
      def new(args, opts) when is_map(args) and is_list(opts) do
        unquote(contract).new(args, Keyword.merge(@contract_opts, opts))
      end

      @impl Oban.Worker
      def perform(%Oban.Job{} = job) do
        unquote(__MODULE__).perform(job, unquote(contract), unquote(tag), __MODULE__)
      end

      @impl Oban.Worker
      def timeout(%Oban.Job{}), do: unquote(served[:timeout])

      defoverridable new: 2, timeout: 1
    end
  end

  @doc false
  @spec own_worker!(module(), module(), [String.t()]) :: :ok
  def own_worker!(worker, contract, names) do
    if inspect(worker) in names do
      :ok
    else
      raise ArgumentError,
            "#{inspect(contract)} is served by #{Enum.join(names, " or ")}, not by #{inspect(worker)}; " <>
              "name the module as the contract's x-job.worker, or add it to x-job.aliases"
    end
  end

  @doc "Returns violations as one line of text."
  @spec describe([violation()]) :: String.t()
  def describe(violations) do
    Enum.map_join(violations, "; ", fn violation ->
      path = if violation.path == "", do: "(root)", else: violation.path
      path <> ": " <> violation.message
    end)
  end

  defp name({:struct, module}), do: inspect(module)
  defp name(_shape), do: "the contract is broken"

  # Recorded results

  defp recorded(%{meta: %{"recorded" => true, "return" => text}}) when is_binary(text) do
    if byte_size(text) <= @largest_result, do: {:ok, text}, else: {:error, :too_large}
  end

  defp recorded(_job), do: {:error, :not_recorded}

  defp read_term(text) do
    case Base.decode64(text, padding: false) do
      {:ok, <<131, 80, size::32, _::binary>>} when size > @largest_result -> {:error, :too_large}
      {:ok, binary} -> {:ok, :erlang.binary_to_term(binary, [:safe])}
      :error -> {:error, :unreadable}
    end
  rescue
    ArgumentError -> {:error, :unreadable}
  end

  # Values of earlier versions with the names of today; a value that doesn't fit stays, and the check tells of it

  defp renamed(value, {:nullable, shape}), do: renamed(value, shape)
  defp renamed(value, {:enum, _atoms, former}), do: Map.get(former, value, value)

  defp renamed([head | tail], {:list, shape}),
    do: [renamed(head, shape) | renamed(tail, {:list, shape})]

  defp renamed(value, {:tuple, shapes}) when is_list(value), do: zip(value, shapes, &renamed/2)

  defp renamed(value, {:map, shape}) when is_map(value) and not is_struct(value),
    do: Map.new(value, fn {k, v} -> {k, renamed(v, shape)} end)

  defp renamed(value, {:union, tag, modules}) when is_map(value) and not is_struct(value) do
    case modules[value[tag]] do
      nil -> value
      module -> renamed(value, {:struct, module})
    end
  end

  defp renamed(value, {:struct, module}) when is_map(value) and not is_struct(value) do
    {_others, fields} = module.__shape__()
    former = if function_exported?(module, :__former__, 0), do: module.__former__(), else: []
    value = Enum.reduce(former, value, &rename_field/2)

    Enum.reduce(fields, value, fn {name, _key, shape, _absent}, found ->
      case found do
        %{^name => field} -> %{found | name => renamed(field, shape)}
        _absent -> found
      end
    end)
  end

  defp renamed(value, _shape), do: value

  defp rename_field({old, name}, value)
       when is_map_key(value, old) and not is_map_key(value, name) do
    value |> Map.put(name, value[old]) |> Map.delete(old)
  end

  defp rename_field(_former, value), do: value

  # From JSON's values to Elixir's, by shape; the value has been checked

  defp build(nil, {:nullable, _shape}), do: nil
  defp build(value, {:nullable, shape}), do: build(value, shape)
  defp build(value, :integer), do: trunc(value)
  defp build(value, :bigint), do: String.to_integer(value)
  defp build(value, :bytes), do: Base.decode64!(value)
  defp build(value, :uuid), do: String.downcase(value, :ascii)
  defp build(value, :date), do: Date.from_iso8601!(value)

  defp build(value, :datetime) do
    {:ok, datetime, _offset} = value |> iso8601() |> DateTime.from_iso8601()
    datetime
  end

  defp build(value, {:enum, atoms}), do: Enum.find(atoms, value, &(Atom.to_string(&1) == value))
  defp build(value, {:enum, atoms, _former}), do: build(value, {:enum, atoms})
  defp build(value, {:list, shape}), do: Enum.map(value, &build(&1, shape))
  defp build(value, {:tuple, shapes}), do: zip(value, shapes, &build/2)
  defp build(value, {:map, shape}), do: Map.new(value, fn {k, v} -> {k, build(v, shape)} end)

  defp build(value, {:union, tag, modules}) do
    build(value, {:struct, Map.fetch!(modules, value[tag])})
  end

  defp build(value, {:struct, module}) do
    {_others, fields} = module.__shape__()

    Enum.reduce(fields, module.__struct__(), fn {name, key, shape, absent}, struct ->
      case {value, absent} do
        {%{^name => field}, _absent} -> Map.put(struct, key, build(field, shape))
        {_value, {:default, default}} -> Map.put(struct, key, build(default, shape))
        _declared_default -> struct
      end
    end)
  end

  defp build(value, _shape), do: value

  defp zip([value | values], [shape | shapes], fun),
    do: [fun.(value, shape) | zip(values, shapes, fun)]

  defp zip(values, _shapes, _fun), do: values

  # `DateTime` knows no lower-case letters and no offset of -00:00.
  defp iso8601(text), do: text |> String.upcase(:ascii) |> String.replace_suffix("-00:00", "Z")

  # From Elixir's values to JSON's, by shape; what doesn't fit stays, and the check tells of it

  defp plain(nil, {:nullable, _shape}), do: nil
  defp plain(value, {:nullable, shape}), do: plain(value, shape)
  defp plain(value, :any), do: json(value)
  defp plain(value, :string), do: text(value)
  defp plain(value, :bigint) when is_integer(value), do: Integer.to_string(value)
  defp plain(value, :bytes) when is_binary(value), do: Base.encode64(value)
  defp plain(value, :uuid) when is_binary(value), do: String.downcase(value, :ascii)
  defp plain(%Date{} = value, :date), do: Date.to_iso8601(value)

  defp plain(%DateTime{} = value, :datetime) do
    value |> DateTime.shift_zone!("Etc/UTC") |> DateTime.to_iso8601()
  end

  defp plain(value, {:enum, _atoms}), do: text(value)
  defp plain(value, {:enum, _atoms, _former}), do: text(value)
  defp plain(value, {:list, shape}) when is_list(value), do: Enum.map(value, &plain(&1, shape))
  defp plain(value, {:tuple, shapes}) when is_list(value), do: zip(value, shapes, &plain/2)

  defp plain(value, {:map, shape}) when is_map(value) and not is_struct(value) do
    Map.new(value, fn {k, v} -> {text(k), plain(v, shape)} end)
  end

  defp plain(%module{} = value, {:union, _tag, modules}) do
    if module in Map.values(modules), do: plain(value, {:struct, module}), else: value
  end

  defp plain(value, {:union, tag, modules}) when is_map(value) do
    kind = Enum.find_value(value, fn {key, kind} -> text(key) == tag && text(kind) end)

    case modules do
      %{^kind => module} -> plain(value, {:struct, module})
      _unknown_kind -> json(value)
    end
  end

  defp plain(%module{} = value, {:struct, module}) do
    {_others, fields} = module.__shape__()

    for {name, key, shape, absent} <- fields,
        %{^key => field} = value,
        held?(field, shape, absent),
        into: %{},
        do: {name, plain(field, shape)}
  end

  defp plain(value, {:struct, module}) when is_map(value) and not is_struct(value) do
    {_others, fields} = module.__shape__()
    given = Map.new(value, fn {key, field} -> rename(fields, key, field) end)
    fields |> defaults(module.__struct__()) |> Map.merge(given)
  end

  defp plain(value, _shape), do: value

  defp held?(:unset, _shape, _absent), do: false
  defp held?(nil, shape, :optional), do: nullable?(shape)
  defp held?(_field, _shape, _absent), do: true

  defp nullable?({:nullable, _shape}), do: true
  defp nullable?(shape), do: shape in [:any, :null]

  defp rename(fields, key, field) do
    case List.keyfind(fields, key, 1) || List.keyfind(fields, text(key), 0) do
      {name, _key, shape, _absent} -> {name, plain(field, shape)}
      nil -> {text(key), json(field)}
    end
  end

  defp defaults(fields, struct) do
    for {name, key, shape, :default} <- fields, into: %{} do
      {name, struct |> Map.fetch!(key) |> plain(shape)}
    end
  end

  # A value of no declared type as an encoder of JSON would write it

  defp json(%DateTime{} = value), do: plain(value, :datetime)
  defp json(%Date{} = value), do: plain(value, :date)
  defp json(value) when is_struct(value), do: value
  defp json(value) when is_map(value), do: Map.new(value, fn {k, v} -> {text(k), json(v)} end)
  defp json([head | tail]) when is_list(tail), do: [json(head) | json(tail)]
  defp json(value), do: text(value)

  defp text(value) when is_atom(value) and not is_boolean(value) and not is_nil(value),
    do: Atom.to_string(value)

  defp text(value), do: value
end

defmodule Bridge.Contracts.Runtime.Check do
  @moduledoc false

  alias Bridge.Contracts.Runtime
  alias Bridge.Contracts.Runtime.Formats

  # From here on, not every integer has a float.
  @exact 9_007_199_254_740_992

  @shown 60
  @undeclared "expected no such field: the contract doesn't declare it"

  @types %{
    "null" => "null",
    "boolean" => "true or false",
    "integer" => "an integer",
    "number" => "a number",
    "string" => "text",
    "array" => "a list",
    "object" => "an object"
  }

  @spec check(term(), Runtime.schema(), Runtime.mode(), Runtime.shape()) :: [Runtime.violation()]
  def check(value, schema, mode, shape \\ :any) do
    defs = if is_map(schema), do: Map.get(schema, "$defs", %{}), else: %{}
    at = %{path: [], open?: mode == :read, defs: defs, schema: schema, hidden?: false}

    with [] <- foreign(value, at) do
      found = walk(schema, value, at)
      found = if mode == :write, do: found ++ undeclared(shape, value, at), else: found
      Enum.uniq_by(found, &{&1.path, &1.rule})
    end
  end

  # What JSON doesn't have: it is told of before any schema is asked

  defp foreign(value, at) when is_binary(value) do
    if String.valid?(value), do: [], else: no_json(at, "text in UTF-8", "other bytes")
  end

  defp foreign(value, _at) when is_number(value) or is_boolean(value) or is_nil(value), do: []

  defp foreign(value, at) when is_list(value) do
    if List.improper?(value),
      do: no_json(at, "a list", "an improper one"),
      else: value |> Enum.with_index() |> Enum.flat_map(fn {v, i} -> foreign(v, into(at, i)) end)
  end

  defp foreign(value, at) when is_map(value) and not is_struct(value) do
    if Enum.all?(Map.keys(value), &(is_binary(&1) and String.valid?(&1))),
      do: Enum.flat_map(value, fn {key, v} -> foreign(v, into(at, key)) end),
      else: no_json(at, "an object with text keys", "other keys")
  end

  defp foreign(_value, at), do: no_json(at, "a value that JSON has", "another term")

  defp no_json(at, expected, came), do: [broken(at, "type", "expected #{expected}, got #{came}")]

  # A value against a schema, keyword by keyword

  defp walk(true, _value, _at), do: []
  defp walk(false, value, at), do: tell("nothing here", "false", value, at)

  defp walk(schema, value, at) do
    at = %{at | schema: schema, hidden?: at.hidden? or schema["x-sensitive"] == true}
    Enum.flat_map(schema, fn {keyword, rule} -> keyword(keyword, rule, value, at) end)
  end

  defp valid?(schema, value, at), do: walk(schema, value, at) == []

  # A condition must not hold for more values than it was written for
  defp holds?(schema, value, at), do: valid?(schema, value, %{at | open?: false})

  defp keyword("$ref", "#/$defs/" <> name, value, at),
    do: at.defs |> Map.fetch!(name) |> walk(value, at)

  defp keyword("contains", schema, value, at) when is_list(value) do
    found = Enum.count(value, &holds?(schema, &1, at))
    {least, rule} = least(at.schema)
    most = Map.get(at.schema, "maxContains", found)

    tell(found >= least || "at least #{least} matching items", rule, value, at) ++
      tell(found <= most || "at most #{most} matching items", "maxContains", value, at)
  end

  defp keyword("prefixItems", schemas, value, at) when is_list(value),
    do: schemas |> Enum.zip(value) |> items(0, at)

  defp keyword("items", schema, value, at) when is_list(value) do
    prefix = at.schema |> Map.get("prefixItems", []) |> length()
    value |> Enum.drop(prefix) |> Enum.map(&{schema, &1}) |> items(prefix, at)
  end

  defp keyword("required", names, value, at) when is_map(value) do
    declared = at.schema |> Map.get("properties", %{}) |> Map.keys()

    for name <- names, not is_map_key(value, name) do
      near = if at.hidden?, do: "", else: near(name, value, declared ++ names)
      message = "expected this field, got none" <> near
      broken(into(at, name), "required", message)
    end
  end

  defp keyword("dependentRequired", names, value, at) when is_map(value) do
    names
    |> present(value)
    |> Enum.flat_map(fn {name, others} ->
      missing(others, value, at, "dependentRequired", "this field beside #{literal(name)}")
    end)
  end

  defp keyword("properties", schemas, value, at) when is_map(value) do
    schemas
    |> present(value)
    |> Enum.flat_map(fn {name, schema} -> field(schema, value, name, at) end)
  end

  defp keyword("patternProperties", schemas, value, at) when is_map(value) do
    for {pattern, schema} <- schemas,
        {name, _field} <- value,
        Formats.match?(name, pattern),
        violation <- other(schema, value, name, at),
        do: violation
  end

  defp keyword("additionalProperties", false, value, at) when is_map(value) do
    for name <- others(value, at.schema) do
      broken(into(at, key(name, at)), "additionalProperties", @undeclared)
    end
  end

  defp keyword("additionalProperties", schema, value, at) when is_map(value),
    do: value |> others(at.schema) |> Enum.flat_map(&other(schema, value, &1, at))

  defp keyword("propertyNames", schema, value, at) when is_map(value) do
    for {name, _field} <- value, not valid?(schema, name, at) do
      broken(into(at, key(name, at)), "propertyNames", "expected another name for a field")
    end
  end

  defp keyword("dependentSchemas", schemas, value, at) when is_map(value) do
    schemas
    |> present(value)
    |> Enum.flat_map(fn {_name, schema} -> walk(schema, value, at) end)
  end

  defp keyword("allOf", schemas, value, at), do: Enum.flat_map(schemas, &walk(&1, value, at))

  # Every branch requires the tag to be its own, so that no other value of it can fit
  defp keyword("oneOf", schemas, value, %{schema: %{"x-tag" => tag}} = at) when is_map(value) do
    if index = branch(at.schema, value) do
      schemas |> Enum.at(index) |> walk(value, at)
    else
      [broken(at, "oneOf", no_branch(tag, schemas, value, at))]
    end
  end

  defp keyword("oneOf", schemas, value, at) do
    at = %{at | open?: at.open? and nullable?(schemas)}
    found = Enum.count(schemas, &valid?(&1, value, at))
    tell(found == 1 || "exactly one of several forms (#{found} fit)", "oneOf", value, at)
  end

  defp keyword("if", schema, value, at) do
    branch = if holds?(schema, value, at), do: "then", else: "else"
    at.schema |> Map.get(branch, true) |> walk(value, at)
  end

  defp keyword(rule, expected, value, at),
    do: tell(kept(rule, expected, value, at), rule, value, at)

  # Rules about the value as a whole: `true` where it keeps them, or else what was expected

  defp kept("type", types, value, _at) do
    types = List.wrap(types)
    Enum.any?(types, &type?(&1, value)) || Enum.map_join(types, " or ", &@types[&1])
  end

  defp kept("enum", allowed, value, at) do
    open?(allowed, value, at) || Enum.any?(allowed, &same?(&1, value)) ||
      "one of " <> Enum.map_join(allowed, ", ", &literal/1)
  end

  defp kept("const", constant, value, _at), do: same?(constant, value) || literal(constant)

  defp kept("not", schema, value, at), do: not holds?(schema, value, at) || "another form"

  defp kept("anyOf", schemas, value, at),
    do: Enum.any?(schemas, &valid?(&1, value, at)) || "one of #{length(schemas)} forms"

  defp kept(rule, limit, value, _at) when is_number(value) do
    case rule do
      "maximum" -> exact(value) <= exact(limit) || "at most #{limit}"
      "exclusiveMaximum" -> exact(value) < exact(limit) || "less than #{limit}"
      "minimum" -> exact(value) >= exact(limit) || "at least #{limit}"
      "exclusiveMinimum" -> exact(value) > exact(limit) || "more than #{limit}"
      "multipleOf" -> multiple?(value, limit) || "a multiple of #{limit}"
      _other -> true
    end
  end

  # Text beyond the `maxLength` beside a pattern is refused by that, and not looked at for long
  defp kept("pattern", pattern, value, at) when is_binary(value) do
    most = at.schema["maxLength"]

    cond do
      is_number(most) and code_points(value, 0) > most -> true
      Formats.match?(value, pattern) -> true
      true -> "text that matches #{pattern}"
    end
  end

  defp kept(rule, limit, value, _at) when is_binary(value) do
    case rule do
      "maxLength" -> code_points(value, 0) <= limit || "text of at most #{limit} characters"
      "minLength" -> code_points(value, 0) >= limit || "text of at least #{limit} characters"
      "format" -> Formats.valid?(value, limit) || "text of format #{limit}"
      "contentEncoding" -> Formats.valid?(value, limit) || "text in #{limit}"
      _other -> true
    end
  end

  defp kept(rule, limit, value, _at) when is_list(value) do
    case rule do
      "maxItems" -> length(value) <= limit || "a list of at most #{limit} items"
      "minItems" -> length(value) >= limit || "a list of at least #{limit} items"
      "uniqueItems" -> not limit || distinct?(value) || "items that all differ"
      _other -> true
    end
  end

  defp kept("maxProperties", limit, value, _at) when is_map(value),
    do: map_size(value) <= limit || "at most #{limit} fields"

  defp kept("minProperties", limit, value, _at) when is_map(value),
    do: map_size(value) >= limit || "at least #{limit} fields"

  defp kept(_rule, _expected, _value, _at), do: true

  # Parts of keywords

  defp code_points(<<_::utf8, rest::binary>>, count), do: code_points(rest, count + 1)
  defp code_points("", count), do: count

  defp items(pairs, first, at) do
    pairs
    |> Enum.with_index(first)
    |> Enum.flat_map(fn {{schema, item}, index} -> walk(schema, item, into(at, index)) end)
  end

  defp least(%{"minContains" => least}), do: {least, "minContains"}
  defp least(_schema), do: {1, "contains"}

  defp present(rules, value), do: Enum.filter(rules, fn {name, _} -> is_map_key(value, name) end)

  defp missing(names, value, at, rule, expected) do
    for name <- names, not is_map_key(value, name) do
      broken(into(at, name), rule, "expected #{expected}, got none")
    end
  end

  # A field that nobody declares, and that was probably meant; only so many are looked at
  defp near(name, value, declared) do
    value
    |> Map.keys()
    |> Kernel.--(declared)
    |> Enum.take(20)
    |> Enum.filter(&(String.length(&1) <= 60))
    |> Enum.sort_by(&(-String.jaro_distance(&1, name)))
    |> Enum.find(&like?(&1, name))
    |> case do
      nil -> ""
      other -> "; the undeclared field #{literal(other)} is there"
    end
  end

  defp like?(other, name) do
    {other, name} = {words(other), words(name)}

    other != [] and
      (other -- name == [] or name -- other == [] or
         String.jaro_distance(Enum.join(name), Enum.join(other)) > 0.85)
  end

  # `badgeId` and `badge_id` have the same
  defp words(name) do
    name
    |> String.replace(~r/([a-z0-9])([A-Z])/, "\\1_\\2")
    |> String.downcase()
    |> String.split(["_", "-"], trim: true)
  end

  defp field(schema, value, name, at), do: walk(schema, Map.fetch!(value, name), into(at, name))

  defp other(schema, value, name, at),
    do: walk(schema, Map.fetch!(value, name), into(at, key(name, at)))

  # The keys of a sensitive map are values, too
  defp key(_name, %{hidden?: true}), do: "*"
  defp key(name, _at), do: name

  defp others(value, schema) do
    declared = Map.get(schema, "properties", %{})
    patterns = schema |> Map.get("patternProperties", %{}) |> Map.keys()

    for {name, _field} <- value,
        not is_map_key(declared, name),
        not Enum.any?(patterns, &Formats.match?(name, &1)),
        do: name
  end

  defp type?("null", value), do: is_nil(value)
  defp type?("boolean", value), do: is_boolean(value)
  defp type?("integer", value), do: is_integer(canonical(value))
  defp type?("number", value), do: is_number(value)
  defp type?("string", value), do: is_binary(value)
  defp type?("array", value), do: is_list(value)
  defp type?("object", value), do: is_map(value)

  defp open?(allowed, value, at) do
    at.open? and is_binary(value) and Enum.all?(allowed, &is_binary/1) and
      at.schema["x-closed"] != true
  end

  # The place of the branch that the value's tag names, where the branches have a tag
  defp branch(%{"x-tag" => %{"name" => tag, "values" => values}}, value) when is_map(value) do
    case value do
      # A branch without a tag, that of null, has none in `values`.
      %{^tag => kind} when is_binary(kind) -> Enum.find_index(values, &(&1 == kind))
      _no_tag -> nil
    end
  end

  defp branch(_schema, _value), do: nil

  defp no_branch(%{"name" => tag, "values" => values}, schemas, value, at) do
    known = values |> Enum.filter(&is_binary/1) |> Enum.map_join(" or ", &literal/1)
    at = %{at | hidden?: at.hidden? or Enum.any?(schemas, &hides?(&1, tag, at))}

    came =
      case value do
        %{^tag => kind} -> "got #{shown(kind, at)}"
        _no_tag -> "got none"
      end

    "expected the field #{literal(tag)} to be #{known}, #{came}"
  end

  # Whether a branch, which never refers to itself, keeps the values of a field out of messages
  defp hides?(%{} = schema, name, at) do
    match?(%{"properties" => %{^name => %{"x-sensitive" => true}}}, schema) or
      hides?(at.defs[target(schema)], name, at) or
      Enum.any?(Map.get(schema, "allOf", []), &hides?(&1, name, at))
  end

  defp hides?(_schema, _name, _at), do: false

  defp target(%{"$ref" => "#/$defs/" <> name}), do: name
  defp target(_schema), do: nil

  defp nullable?(schemas) do
    others = Enum.reject(schemas, &null?/1)
    length(others) == 1 and length(schemas) > 1
  end

  defp null?(%{"type" => type}) when type in ["null", ["null"]], do: true
  defp null?(%{"const" => nil}), do: true
  defp null?(_schema), do: false

  # Numbers as JSON Schema has them: 1 and 1.0 are one number, and a float is the shortest decimal that it reads back from

  defp same?(left, right), do: canonical(left) === canonical(right)

  defp canonical(value) when is_float(value) do
    if trunc(value) == value, do: trunc(value), else: value
  end

  defp canonical(value) when is_list(value), do: Enum.map(value, &canonical/1)
  defp canonical(value) when is_map(value), do: Map.new(value, fn {k, v} -> {k, canonical(v)} end)
  defp canonical(value), do: value

  defp exact(value) when is_float(value) and abs(value) >= @exact, do: trunc(value)
  defp exact(value), do: value

  defp distinct?(values) do
    values |> Enum.map(&canonical/1) |> Enum.uniq() |> length() == length(values)
  end

  defp multiple?(value, step) do
    {value, value_exponent} = decimal(value)
    {step, step_exponent} = decimal(step)
    exponent = min(value_exponent, step_exponent)
    rem(scale(value, value_exponent - exponent), scale(step, step_exponent - exponent)) == 0
  end

  defp decimal(value) when is_integer(value), do: {value, 0}

  defp decimal(value) do
    {digits, exponent} =
      case value |> Float.to_string() |> String.split("e") do
        [digits] -> {digits, 0}
        [digits, exponent] -> {digits, String.to_integer(exponent)}
      end

    [whole, fraction] = String.split(digits, ".")
    {String.to_integer(whole <> fraction), exponent - byte_size(fraction)}
  end

  defp scale(value, exponent), do: value * Integer.pow(10, exponent)

  # Fields that no struct declares, for writers

  defp undeclared({:nullable, shape}, value, at), do: undeclared(shape, value, at)

  defp undeclared({kind, shape}, value, at) when kind in [:list, :map] and is_map(value),
    do: Enum.flat_map(value, fn {k, field} -> undeclared(shape, field, into(at, key(k, at))) end)

  defp undeclared({kind, shape}, value, at) when kind in [:list, :map] and is_list(value),
    do: undeclared({:tuple, List.duplicate(shape, length(value))}, value, at)

  defp undeclared({:tuple, shapes}, value, at) when is_list(value) do
    for {{shape, item}, index} <- shapes |> Enum.zip(value) |> Enum.with_index(),
        violation <- undeclared(shape, item, into(at, index)),
        do: violation
  end

  defp undeclared({:union, tag, modules}, value, at) when is_map(value) do
    case modules[value[tag]] do
      nil -> []
      module -> undeclared({:struct, module}, value, at)
    end
  end

  defp undeclared({:struct, module}, value, at) when is_map(value) do
    {others, fields} = module.__shape__()
    hidden = if function_exported?(module, :__hidden__, 0), do: module.__hidden__(), else: []

    Enum.flat_map(value, fn {name, field} ->
      case List.keyfind(fields, name, 0) do
        {_name, _key, shape, _absent} ->
          at = into(at, name)
          undeclared(shape, field, %{at | hidden?: at.hidden? or name in hidden})

        nil when others == :closed ->
          [broken(into(at, key(name, at)), "undeclared", @undeclared)]

        nil ->
          []
      end
    end)
  end

  defp undeclared(_shape, _value, _at), do: []

  # Where we are, and what is told

  defp into(at, step), do: %{at | path: [step | at.path]}

  # Nothing where the rule holds; otherwise it comes with the words for what was expected
  defp tell(true, _rule, _value, _at), do: []

  defp tell(words, rule, value, at),
    do: [broken(at, rule, "expected #{words}, got #{shown(value, at)}")]

  defp broken(at, rule, message), do: %{path: pointer(at.path), rule: rule, message: message}

  defp pointer(path), do: path |> Enum.reverse() |> Enum.map_join(&"/#{escape(&1)}")

  defp escape(step) when is_integer(step), do: step
  defp escape(step), do: step |> String.replace("~", "~0") |> String.replace("/", "~1")

  defp shown(value, _at) when is_map(value), do: "an object"
  defp shown(value, _at) when is_list(value), do: "a list of #{length(value)} items"
  defp shown(_value, %{hidden?: true}), do: "a value that is not shown"
  defp shown(value, _at), do: literal(value)

  defp literal(nil), do: "null"
  defp literal(value) when is_number(value), do: value |> to_string() |> String.slice(0, @shown)
  defp literal(value), do: inspect(value, limit: 5, printable_limit: @shown)
end

defmodule Bridge.Contracts.Runtime.Formats do
  @moduledoc false

  # RFC 3339, 5.6. The years are those that dates of both languages hold.
  @date "((?!0000)[0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
  @offset "(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
  @date_time @date <>
               "[Tt]([01][0-9]|2[0-3]):([0-5][0-9]):[0-5][0-9](?:\\.[0-9]{1,6})?" <> @offset
  @time "([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(?:\\.[0-9]+)?" <> @offset

  # RFC 3339, appendix A: a unit may only follow the next larger one.
  @clock "T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)"
  @days "(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)"
  @duration "P(?:[0-9]+W|#{@clock}|#{@days}(?:#{@clock})?)"

  # RFC 9562, 4.
  @uuid "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"

  # RFC 2673, 3.2 and RFC 4291, 2.2; the grammar is RFC 3986's, 3.2.2.
  @octet "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
  @ipv4 "#{@octet}(?:\\.#{@octet}){3}"
  @h16 "[0-9A-Fa-f]{1,4}"
  @ls32 "(?:#{@h16}:#{@h16}|#{@ipv4})"
  @ipv6 "(?:" <>
          Enum.join(
            ["(?:#{@h16}:){6}#{@ls32}", "::(?:#{@h16}:){5}#{@ls32}"] ++
              for before <- 0..4 do
                "(?:(?:#{@h16}:){0,#{before}}#{@h16})?::(?:#{@h16}:){#{4 - before}}#{@ls32}"
              end ++
              ["(?:(?:#{@h16}:){0,5}#{@h16})?::#{@h16}", "(?:(?:#{@h16}:){0,6}#{@h16})?::"],
            "|"
          ) <> ")"

  # RFC 5321, 4.1.2: a dotted or quoted local part, a domain or an address in brackets.
  @atom "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
  @quoted ~S/"(?:[ !#-\[\]-~]|\\[ -~])*"/
  @label "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
  @email "(?:#{@atom}(?:\\.#{@atom})*|#{@quoted})" <>
           "@(?:#{@label}(?:\\.#{@label})*|\\[(?:#{@ipv4}|[Ii][Pp][Vv]6:#{@ipv6})\\])"

  # RFC 3986, appendix A.
  @plain "A-Za-z0-9._~!$&'()*+,;=\\-"
  @escape "%[0-9A-Fa-f]{2}"
  @pchar "(?:[#{@plain}:@]|#{@escape})"
  @host "(?:\\[(?:#{@ipv6}|[Vv][0-9A-Fa-f]+\\.[#{@plain}:]+)\\]|(?:[#{@plain}]|#{@escape})*)"
  @authority "//(?:(?:[#{@plain}:]|#{@escape})*@)?#{@host}(?::[0-9]*)?(?:/#{@pchar}*)*"
  @absolute "/(?:#{@pchar}+(?:/#{@pchar}*)*)?"
  @tail "(?:\\?(?:#{@pchar}|[/?])*)?(?:#(?:#{@pchar}|[/?])*)?"
  @uri "[A-Za-z][A-Za-z0-9+.-]*:(?:#{@authority}|#{@absolute}|#{@pchar}+(?:/#{@pchar}*)*|)#{@tail}"
  @no_scheme "(?:[#{@plain}@]|#{@escape})+(?:/#{@pchar}*)*"
  @uri_reference "(?:#{@uri}|(?:#{@authority}|#{@absolute}|#{@no_scheme}|)#{@tail})"

  # RFC 6901, 3, and draft-bhutton-relative-json-pointer-00.
  @pointer "(?:/(?:[^~/]|~[01])*)*"

  @patterns %{
    "date-time" => @date_time,
    "date" => @date,
    "time" => @time,
    "duration" => @duration,
    "uuid" => @uuid,
    "email" => @email,
    "uri" => @uri,
    "uri-reference" => @uri_reference,
    "ipv4" => @ipv4,
    "ipv6" => @ipv6,
    "json-pointer" => @pointer,
    "relative-json-pointer" => "(?:0|[1-9][0-9]*)(?:#|#{@pointer})",
    "decimal" => "-?(?:0|[1-9][0-9]*)(?:\\.[0-9]+)?",
    "bigint" => "-?(?:0|[1-9][0-9]*)"
  }

  @doc "Each format's expression for the whole text."
  @spec patterns() :: %{String.t() => String.t()}
  def patterns, do: @patterns

  @doc "Tells whether the pattern, in the dialect of `:re`, is found in the text."
  @spec match?(String.t(), String.t()) :: boolean()
  def match?(text, pattern), do: :re.run(text, pattern, [:unicode, capture: :none]) == :match

  @doc "Tells whether all of the text is of the format."
  @spec valid?(String.t(), String.t()) :: boolean()
  def valid?(text, "base64"), do: Base.decode64(text) != :error

  def valid?(text, format) do
    whole = "\\A(?:#{@patterns[format]})\\z"

    case :re.run(text, whole, [:unicode, {:capture, :all_but_first, :binary}]) do
      {:match, groups} -> exists?(format, groups)
      :nomatch -> false
    end
  end

  # What a grammar can't tell: days that there are, moments that a date-time holds in UTC, leap seconds

  defp exists?("date", [year, month, day]), do: day?(year, month, day)

  defp exists?("date-time", [year, month, day, hour, minute | offset]) do
    utc = minute_of_day(hour, minute, offset)

    day?(year, month, day) and
      case {year, month, day} do
        {"0001", "01", "01"} -> utc >= 0
        {"9999", "12", "31"} -> utc < 24 * 60
        _no_edge -> true
      end
  end

  defp exists?("time", [hour, minute, "60" | offset]) do
    Integer.mod(minute_of_day(hour, minute, offset), 24 * 60) == 24 * 60 - 1
  end

  defp exists?(_format, _groups), do: true

  defp day?(year, month, day) do
    :calendar.valid_date(to_integer(year), to_integer(month), to_integer(day))
  end

  defp minute_of_day(hour, minute, offset) do
    to_integer(hour) * 60 + to_integer(minute) - minutes(offset)
  end

  defp minutes([sign, hour, minute]) do
    minutes = to_integer(hour) * 60 + to_integer(minute)
    if sign == "-", do: -minutes, else: minutes
  end

  defp minutes(_utc), do: 0

  defp to_integer(digits), do: String.to_integer(digits)
end
