"""The version of the distribution that is installed."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("oneiric")
except PackageNotFoundError:
    __version__ = "0.0.0"
