"""Files written from models: Python, Elixir, documentation."""
