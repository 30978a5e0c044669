"""Every metric, log event and span, and what writes and serves them."""
