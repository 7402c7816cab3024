# What generated code needs of Oban 2.23, where Oban is not installed: as much as lets a changeset and a worker be seen.
defmodule Oban.Job do
  defstruct [:args, attempt: 1, meta: %{}]
  @type t :: %__MODULE__{}
  @type option :: {atom(), term()}
  @type changeset :: {map(), keyword()}

  def new(args, opts), do: {args, opts}

  # As in an Oban before 2.21, which doesn't know `suspended`
  def states, do: ~w(scheduled available executing retryable completed discarded cancelled)a
end

defmodule Oban.Worker do
  @type result :: term()

  @callback new(map(), keyword()) :: term()
  @callback perform(Oban.Job.t()) :: term()
  @callback timeout(Oban.Job.t()) :: term()
  @callback __opts__() :: keyword()

  defmacro __using__(opts) do
    quote do
      @behaviour Oban.Worker

      @impl Oban.Worker
      def __opts__, do: Keyword.put(unquote(opts), :worker, inspect(__MODULE__))

      @impl Oban.Worker
      def new(args, opts \\ []) when is_map(args) and is_list(opts) do
        Oban.Job.new(args, Keyword.merge(__opts__(), opts))
      end

      @impl Oban.Worker
      def timeout(%Oban.Job{}), do: :infinity

      defoverridable Oban.Worker
    end
  end
end
