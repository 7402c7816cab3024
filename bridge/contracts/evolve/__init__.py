"""What a change of a contract breaks, shown by a counter-example."""
