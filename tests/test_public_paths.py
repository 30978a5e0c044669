"""The dotted paths that applications import from, wherever what they name has its home."""

from __future__ import annotations

from importlib import import_module

import pytest

PATHS = {
    "oneiric.actions": "ActionBridge ActionMetadata register_action_metadata",
    "oneiric.actions.metadata": "ActionMetadata register_action_metadata",
    "oneiric.adapters": "AdapterBridge AdapterHandle AdapterMetadata register_adapter_metadata",
    "oneiric.adapters.watcher": "AdapterConfigWatcher adapter_layer",
    "oneiric.adapters.metadata": "AdapterMetadata register_adapter_metadata",
    "oneiric.core.activity": "DomainActivity DomainActivityStore ActivityStoreError",
    "oneiric.core.config": "OneiricSettings load_settings SettingsError SecretsHook resolve_cache_dir_path",
    "oneiric.core.domain_settings": "get_domain_settings create_layer_selector is_supported_domain SUPPORTED_DOMAINS",
    "oneiric.core.lifecycle": "LifecycleManager LifecycleError LifecycleHooks LifecycleSafetyOptions LifecycleStatus",
    "oneiric.core.lifecycle_status": "LifecycleStatus State read_statuses",
    "oneiric.core.logging": "configure_logging get_logger LoggingConfig LoggingSinkConfig bind_log_context",
    "oneiric.core.metadata": "settings_model_path build_metadata register_metadata",
    "oneiric.core.metrics": "record_pause_state record_drain_state record_swap_duration",
    "oneiric.core.observability": "ObservabilityConfig get_tracer inject_trace_context traced_decision observed_span",
    "oneiric.core.resiliency": "run_with_retry",
    "oneiric.core.resolution": "Candidate CandidateSource CandidateRegistry Resolver ResolverSettings register_pkg",
    "oneiric.core.runtime": "RuntimeTaskGroup TaskGroupError task_nursery run_with_taskgroup anyio_nursery run_sync",
    "oneiric.core.secrets_cache": "SecretValueCache",
    "oneiric.core.security": "validate_factory_string",
    "oneiric.domains": "ServiceBridge EventBridge ServiceConfigWatcher EventConfigWatcher WorkflowConfigWatcher",
    "oneiric.domains.watchers": "ServiceConfigWatcher TaskConfigWatcher EventConfigWatcher WorkflowConfigWatcher",
    "oneiric.domains.base": "DomainBridge",
    "oneiric.observability": "attach Telemetry MetricsServer Exposition asgi_app wsgi_app push write_textfile",
    "oneiric.observability.catalogue": "CATALOGUE",
    "oneiric.observability.exposition": "Exposition Response",
    "oneiric.plugins": "DEFAULT_ENTRY_POINT_GROUPS PluginRegistrationReport register_entrypoint_plugins load_callables",
    "oneiric.remote": "RemoteManifest RemoteManifestEntry RemoteSyncResult load_remote_telemetry sync_remote_manifest",
    "oneiric.remote.loader": "DEFAULT_HTTP_TIMEOUT VALID_DOMAINS ArtifactManager RemoteSyncResult sync_remote_manifest",
    "oneiric.remote.models": "RemoteManifest RemoteManifestEntry CapabilityDescriptor ManifestSignature",
    "oneiric.remote.samples": "demo_remote_adapter demo_remote_workflow",
    "oneiric.remote.security": "ENV_TRUSTED_PUBLIC_KEYS SignatureVerificationError sign_manifest_for_publishing",
    "oneiric.remote.telemetry": "RemoteSyncTelemetry load_remote_telemetry",
    "oneiric.runtime.activity": "DomainActivity DomainActivityStore ActivityStoreError",
    "oneiric.runtime.orchestrator": "RuntimeOrchestrator",
    "oneiric.runtime.supervisor": "ServiceSupervisor",
    "oneiric.runtime.telemetry": "RuntimeTelemetryRecorder load_runtime_telemetry RuntimeObservabilitySnapshot",
    "oneiric.runtime.watchers": "SelectionWatcher",
    "oneiric.testing.plugin": "oneiric_telemetry",
}


@pytest.mark.parametrize("path", sorted(PATHS))
def test_what_a_public_path_promises_is_there(path: str) -> None:
    """Each promised name can be imported from the path."""
    module = import_module(path)
    assert [name for name in PATHS[path].split() if not hasattr(module, name)] == []


@pytest.mark.parametrize("path", sorted(PATHS))
def test_what_a_path_lists_is_there(path: str) -> None:
    """Each name in `__all__` can be had."""
    module = import_module(path)
    assert [name for name in getattr(module, "__all__", ()) if not hasattr(module, name)] == []
