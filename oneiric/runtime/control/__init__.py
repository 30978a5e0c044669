"""The control socket: how the commands act on a running service, and the service on them."""
