"""Any library's connection as the one thing that the engine asks for: run a statement, hold a savepoint."""
