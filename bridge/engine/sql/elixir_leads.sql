-- Tells whether an Elixir node holds a live lease: then staging is its duty alone.
select exists (
  select
  from {prefix}.oban_peers
  where expires_at > $1
    and name not like '%@python'
)
