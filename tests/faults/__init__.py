"""Whatever dies, no job is lost, and none runs twice without need: faults, a load beneath them, and an account."""
