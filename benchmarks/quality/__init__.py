"""Programs that print how good colours are; see `benchmarks` for speed."""
