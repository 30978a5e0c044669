"""What the exit codes of the commands mean; the same with and without ``--json``."""

NO = 1
"""The answer is no, or the work failed."""
USAGE = 2
"""Wrong use: an option, a setting or a file that cannot be used."""
NO_SERVICE = 3
"""No service runs, and the command needs one."""
DENIED = 4
"""This user may not do that."""
SILENT = 5
"""The service does not answer."""
INTERRUPTED = 130
"""Ctrl-C ended the command."""
