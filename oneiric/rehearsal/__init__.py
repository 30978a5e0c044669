"""The runtime rehearsed on this machine: the demo and the drills."""
