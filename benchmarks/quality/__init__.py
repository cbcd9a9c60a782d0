"""Programs that measure the quality of colours; `benchmarks` measures speed."""
