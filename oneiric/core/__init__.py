"""The runtime's parts that know no telemetry vendor."""
