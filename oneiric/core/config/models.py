"""The settings of one runtime: all sections, and where their values come from."""

from __future__ import annotations

import os
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from oneiric.core.config.activity import ActivityConfig
from oneiric.core.config.environment import unknown_variables
from oneiric.core.config.layers import PROJECT, Layers, Source, read_layers
from oneiric.core.config.logging import LoggingConfig, PathText
from oneiric.core.config.notes import Note, unread_settings
from oneiric.core.config.remote import (
    RemoteSourceConfig,
    SecretsConfig,
    SourceName,
)
from oneiric.core.config.section import Section
from oneiric.core.config.sections import (
    AppConfig,
    LayerSettings,
    LifecycleConfig,
    ObservabilitySettings,
    PluginsConfig,
    RuntimePathsConfig,
    RuntimeProfileConfig,
    RuntimeSupervisorConfig,
)
from oneiric.core.config.service import ControlConfig, RuntimeConfig


class OneiricSettings(Section):
    """All settings of one runtime; further top-level keys belong to the application and are kept.

    What the arguments leave open is taken from the environment, then from the file that ``ONEIRIC_CONFIG`` names, then
    from the defaults. A wrong argument raises pydantic's ValidationError, a wrong variable or file SettingsError, which
    names it. :func:`~oneiric.core.config.load_settings` reads further files.

    Attributes:
        config_dir: Where settings files are.
        cache_dir: Where artifacts are kept, made if need be; None: ``remote.cache_dir``.
        state_dir: Where state is kept that must not be lost (pauses and drains, the status of the lifecycle), made if
            need be; None: the directory of the artifacts.
        app: What the application calls itself.
        adapters: Selections and provider settings of adapters.
        services: Those of services.
        tasks: Those of tasks.
        events: Those of events.
        workflows: Those of workflows.
        actions: Those of actions.
        secrets: Where secrets come from.
        remote: The main remote source.
        remotes: Further remote sources, each a section like ``remote``; the mapping key is the source's name.
        logging: How log lines look and where they go.
        lifecycle: Limits of a swap.
        plugins: Which plugins are loaded.
        profile: What a profile switches on.
        runtime_paths: Where state lies, if not in the state directory.
        activity: Where pauses and drains are kept that replicas share.
        runtime_supervisor: How often the activity store is polled.
        runtime: What must run, and how long its start and its end may take.
        control: The socket that the commands talk to a running service through.
        observability: What the runtime reports of itself, and where.
    """

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    config_dir: PathText | None = None
    cache_dir: PathText | None = None
    state_dir: PathText | None = None
    app: AppConfig = AppConfig()
    adapters: LayerSettings = LayerSettings()
    services: LayerSettings = LayerSettings()
    tasks: LayerSettings = LayerSettings()
    events: LayerSettings = LayerSettings()
    workflows: LayerSettings = LayerSettings()
    actions: LayerSettings = LayerSettings()
    secrets: SecretsConfig = SecretsConfig()
    remote: RemoteSourceConfig = RemoteSourceConfig()
    remotes: dict[SourceName, RemoteSourceConfig] = {}
    logging: LoggingConfig = LoggingConfig()
    lifecycle: LifecycleConfig = LifecycleConfig()
    plugins: PluginsConfig = PluginsConfig()
    profile: RuntimeProfileConfig = RuntimeProfileConfig()
    runtime_paths: RuntimePathsConfig = RuntimePathsConfig()
    activity: ActivityConfig = ActivityConfig()
    runtime_supervisor: RuntimeSupervisorConfig = RuntimeSupervisorConfig()
    runtime: RuntimeConfig = RuntimeConfig()
    control: ControlConfig = ControlConfig()
    observability: ObservabilitySettings = ObservabilitySettings()

    _problems: tuple[str, ...] = PrivateAttr(default=())
    _unknown: tuple[str, ...] = PrivateAttr(default=())
    _read_from: Source = PrivateAttr(default_factory=Source)

    def __init__(self, **given: Any) -> None:
        self._load(read_layers(type(self), given=given), project=PROJECT)

    @classmethod
    def from_layers(cls, layers: Layers, *, project: str) -> Self:
        """Return what *layers* of *project* set, and nothing else; SettingsError where they are wrong."""
        settings = cls.__new__(cls)
        try:
            cls._load(settings, layers, project=project)
        except ValidationError as error:
            raise layers.explain(error) from None  # its cause quotes values, maybe secret
        return settings

    @classmethod
    def exactly(cls, **given: Any) -> Self:
        """Return settings of these arguments and the defaults, whatever the environment says."""
        settings = cls.__new__(cls)
        BaseModel.__init__(settings, **given)
        return settings

    def _load(self, layers: Layers, *, project: str) -> None:
        try:
            BaseModel.__init__(self, **layers.merged)
        except ValidationError as error:
            if layers.blame_arguments(error):
                raise
            raise layers.explain(error) from None  # likewise
        self._problems = layers.problems
        self._read_from = layers.source
        if project == PROJECT:  # of another project's prefix we cannot say what is whose
            self._unknown = tuple(unknown_variables(project, os.environ, type(self), own_keys=layers.own_keys))

    @property
    def problems(self) -> tuple[str, ...]:
        """What was left out while these settings were loaded, and why; empty when all was read."""
        return self._problems

    @property
    def read_from(self) -> Source:
        """Where these settings, or those that they are a copy of, were read; nowhere for those of :meth:`exactly`."""
        return self._read_from

    @property
    def setting_notes(self) -> tuple[Note, ...]:
        """What sets nothing: settings that nothing reads, and variables that are no settings.

        :func:`~oneiric.core.logging.report_notes` logs them; what puts the settings to use calls it.
        """
        unread = [Note("unread", key) for key in unread_settings(self)]
        return (*unread, *(Note("unknown", name) for name in self._unknown))

    @model_validator(mode="after")
    def _name_remotes(self) -> OneiricSettings:
        for name, source in self.remotes.items():
            if name == self.remote.name:
                raise ValueError(f"remotes.{name} must differ from remote.name, which is {name!r} too")
            if "name" in source.model_fields_set and source.name != name:
                raise ValueError(f"remotes.{name}.name must be {name!r} or left out, not {source.name!r}")
            source.name = name
        return self

    @model_validator(mode="after")
    def _identify(self) -> OneiricSettings:
        """Complete what log lines say of the service, and mark the section as complete for who is given it alone."""
        otlp, logging = self.observability.otlp, self.logging
        exported = otlp.resource_attributes
        own = logging.service_name if "service_name" in logging.model_fields_set else None
        name = own or otlp.service_name or exported.get("service.name") or _set(self.app, "name")
        place = exported.get("deployment.environment.name") or exported.get("deployment.environment")
        known = dict(logging) | {
            "release": logging.release or exported.get("service.version"),
            "environment": logging.environment or place or _set(self.app, "environment"),
        }
        del known["service_name"]
        self.logging = logging.model_copy(update=known | ({"service_name": name} if name else {}))
        return self


def _set(section: BaseModel, field: str) -> Any:
    return getattr(section, field) if field in section.model_fields_set else None
