"""What watches Oneiric, made from the catalogue or checked against it."""

from oneiric.monitoring.config import BundleConfig, ConfigError, configured

__all__ = ["BundleConfig", "ConfigError", "configured"]
