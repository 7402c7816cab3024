"""What the emitter writes for Badge Forge's contract, as an example to check types against."""
