"""What a manifest holds once it has been read, and what a synchronisation results in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from oneiric.core.names import MAX_NAME_CHARS


class _Document(BaseModel):
    """A part of a manifest, in which null says nothing: the default holds."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, content: object) -> object:
        if not isinstance(content, dict):
            return content
        return {name: value for name, value in content.items() if value is not None}


class CapabilitySecurityProfile(_Document):
    """What using a capability demands."""

    classification: str | None = None
    auth_required: bool = True
    scopes: list[str] = Field(default_factory=list)
    encryption: str | None = None
    signature_required: bool = False
    audience: list[str] = Field(default_factory=list)
    notes: str | None = None


class CapabilityDescriptor(_Document):
    """Something a provider is capable of."""

    name: str
    description: str | None = None
    event_types: list[str] = Field(default_factory=list)
    payload_schema: dict[str, Any] | str | None = None
    schema_format: str | None = None
    security: CapabilitySecurityProfile | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class ManifestSignature(_Document):
    """One signature of a manifest: base64, and optionally the publisher's name of the key."""

    signature: str
    algorithm: str = "ed25519"
    key_id: str | None = None


def as_capability(value: object) -> CapabilityDescriptor | dict[str, Any]:
    """Return what *value* - a descriptor, a mapping with a ``name``, or a name - describes."""
    if isinstance(value, CapabilityDescriptor):
        return value
    if isinstance(value, str):
        return {"name": value}
    if not isinstance(value, dict):
        raise TypeError("capabilities must be CapabilityDescriptor, dict, or str")
    if not value.get("name"):
        raise ValueError("capability entry missing 'name'")
    return value


def as_signature(value: object) -> object:
    """Return *value* with a bare base64 string made the signature it is."""
    return {"signature": value} if isinstance(value, str) else value


Capability: TypeAlias = Annotated[CapabilityDescriptor, BeforeValidator(as_capability)]
Signature: TypeAlias = Annotated[ManifestSignature, BeforeValidator(as_signature)]


class RemoteManifestEntry(_Document):
    """One candidate that a manifest offers; unknown keys are ignored.

    Attributes:
        factory: "module:attribute".
        uri: Where the artifact is; it needs ``sha256``, 64 lower-case hexadecimal digits.
    """

    domain: str
    key: str
    provider: str
    factory: str
    uri: str | None = None
    sha256: str | None = None
    stack_level: int | None = None
    priority: int | None = None
    version: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    capabilities: list[Capability] = Field(default_factory=list)
    owner: str | None = None
    requires_secrets: bool = False
    settings_model: str | None = None
    side_effect_free: bool = False
    timeout_seconds: float | None = None
    retry_policy: dict[str, Any] | None = None
    requires: list[str] = Field(default_factory=list)
    conflicts_with: list[str] = Field(default_factory=list)
    python_version: str | None = None
    os_platform: list[str] | str | None = None
    license: str | None = None
    documentation_url: str | None = None
    event_topics: list[str] | None = None
    event_max_concurrency: int | None = None
    event_filters: list[dict[str, Any]] | None = None
    event_priority: int | None = None
    event_fanout_policy: str | None = None
    dag: dict[str, Any] | None = None

    @property
    def capability_names(self) -> list[str]:
        """The names of the capabilities, in the manifest's order."""
        return [capability.name for capability in self.capabilities]

    def capability_payloads(self) -> list[dict[str, Any]]:
        """Return the capabilities as plain mappings, without what is empty."""
        return [_without_empties(capability.model_dump()) for capability in self.capabilities]


class RemoteManifest(_Document):
    """A manifest; times are ISO 8601 strings, ``serial`` never decreases from one publication to the next."""

    source: str = Field(default="remote", max_length=MAX_NAME_CHARS)
    entries: list[RemoteManifestEntry] = Field(default_factory=list)
    signature: str | None = None
    signature_algorithm: str = "ed25519"
    signatures: list[Signature] = Field(default_factory=list)
    signed_at: str | None = None
    expires_at: str | None = None
    serial: int | None = None


@dataclass
class RemoteSyncResult:
    """What a successful synchronisation did.

    Attributes:
        manifest: The manifest with the entries that could be read.
        registered: Entries registered now.
        duration_ms: Milliseconds of the whole synchronisation, fetch and verification included.
        per_domain: Entries registered now, by domain.
        skipped: Entries refused.
    """

    manifest: RemoteManifest
    registered: int
    duration_ms: float
    per_domain: dict[str, int] = field(default_factory=dict)
    skipped: int = 0


def _without_empties(value: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_empties(item) if isinstance(item, dict) else item
        for key, item in value.items()
        if item not in (None, [], {}, "")
    }
