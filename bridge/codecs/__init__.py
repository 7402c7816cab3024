"""What crosses the border between the two languages: JSON, Erlang terms and recorded results."""
