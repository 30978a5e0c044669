"""The log pipeline: Loki, Alloy and Promtail, and the queries over it."""
