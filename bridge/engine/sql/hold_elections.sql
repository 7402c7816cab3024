-- Makes every election wait for the end of this transaction, so that no Elixir node begins to stage meanwhile.
lock table {prefix}.oban_peers in share mode
