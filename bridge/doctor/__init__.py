"""What is wrong with a database or its nodes, each with the mend."""
