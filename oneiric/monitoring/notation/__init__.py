"""One reader for each notation: YAML, JSON, Alloy, PromQL, LogQL, expositions."""
