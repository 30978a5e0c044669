"""What telemetry costs here, side by side with its peers: ``python -m benchmarks``; see docs/benchmarks.md."""
