"""The commands: each parses its options, has the work done, and shows the answer."""
