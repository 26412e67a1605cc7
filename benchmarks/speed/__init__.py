"""The parts of `benchmarks/speed.py`: one file for each family of measurements, and shared tools."""
