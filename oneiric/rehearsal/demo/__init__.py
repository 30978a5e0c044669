"""The runtime on a signed manifest, with faults, for someone who looks at it first."""

from oneiric.rehearsal.demo.run import DemoOptions, run_demo
from oneiric.rehearsal.demo.world import HOST, VALIDITY, DemoWorld, QuietHandler, QuietServer, manifest_of, signed

__all__ = [
    "HOST",
    "VALIDITY",
    "DemoOptions",
    "DemoWorld",
    "QuietHandler",
    "QuietServer",
    "manifest_of",
    "run_demo",
    "signed",
]
