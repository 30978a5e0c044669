"""What the commands do with a runtime: in the service, on the control socket's behalf, or in a process of their own."""

from oneiric.runtime.commands.command import Command
from oneiric.runtime.commands.table import commands_of

__all__ = ["Command", "commands_of"]
