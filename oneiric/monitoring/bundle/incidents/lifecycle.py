"""The runbooks of resolutions and swaps that fail."""

from __future__ import annotations

from oneiric.core import events
from oneiric.monitoring.bundle.incidents.model import Action, Incident, Remedy

RESOLUTION = Incident(
    title="Resolution failures",
    alerts=("OneiricResolutionFailures", "OneiricResolutionBudgetBurn1h", "OneiricResolutionBudgetBurn6h"),
    scenario="resolution-failures",
    impact="Requests that need the missing components fail.",
    variables={"DOMAIN": "adapter", "KEY": "missing"},
    first=(
        Action(
            "Is the service ready, and which components does it serve?",
            'oneiric status --domain "$DOMAIN"',
            "Domain: adapter\nService: process <number>, version <version>, ready\n...",
            then=(
                ("It says `not running`", "start the service; go to [OneiricTargetDown](ALERTS.md#oneirictargetdown)"),
                ("The list is empty", "a release or a manifest removed the providers: go to D"),
            ),
        ),
        Action(
            "A rollout is in progress: stop it, and go back to the version before.",
        ),
    ),
    diagnosis=(
        Action(
            "Which keys fail, and why?",
            'oneiric metrics oneiric_resolution_failures_total | grep "domain=" | grep -v " 0.0"',
            '...\noneiric_resolution_failures_total{domain="adapter",key="missing",reason="no_candidate"} <number>\n'
            "...",
            then=(
                ("`reason` is `no_candidate`", "step 2"),
                ("`reason` is `provider_not_found`", "B"),
                ("`reason` is `capability_mismatch` or `error`", "C"),
            ),
        ),
        Action(
            "Is any provider registered for the key?",
            'oneiric explain "$KEY" --domain "$DOMAIN"',
            "oneiric: no candidate is registered for adapter:missing; <words>",
            exit_code=1,
            then=(
                ("There is none, and the provider comes from a manifest", "step 3"),
                ("There is none, and it comes with the code or as a plugin", "A"),
                ("There is one that is not `selected`", "B"),
            ),
        ),
        Action(
            "Does the source of its manifest synchronise?",
            "oneiric remote-status",
            "...\nLast failure: never (0 in a row)\n...",
            then=(
                ("It fails", "go to [Remote sync failures](#remote-sync-failures)"),
                ("It succeeds, and the key is not in the manifest", "D"),
            ),
        ),
        Action(
            "What did the resolver decide?",
            'oneiric logs --event resolver-decision --level warning --domain "$DOMAIN" --since 10m --lines 1',
            "<time> warning resolver-decision adapter/missing provider=none reason=no_candidate <words>",
            event=(events.ResolutionFailed, None),
        ),
    ),
    remedies=(
        Remedy(
            "The provider's code is not loaded",
            (
                Action(
                    "See which plugins are loaded, and which could not be.",
                    "oneiric plugins",
                    "...",
                ),
                Action("Install the package, or name its module with `--import`, and restart the service."),
            ),
        ),
        Remedy(
            "A selection names the wrong provider, or a better one is shadowed",
            (
                Action(
                    "Which selection is in force?",
                    'oneiric settings show "${DOMAIN}s"',
                    "adapters.selections = {}\n...",
                ),
                Action(
                    "Correct the selection in the settings, and save the file. The service reads it by itself; see "
                    "that "
                    "it is valid.",
                    "oneiric settings check",
                    "...",
                ),
            ),
        ),
        Remedy(
            "The request or the metadata is wrong",
            (
                Action(
                    "Correct the capabilities that are asked for, or those of the provider. The log line names them."
                ),
            ),
        ),
        Remedy(
            "A release or a manifest removed the provider",
            (Action("Publish the release or the manifest again with the provider in it, or roll it back."),),
        ),
    ),
    verification=(
        Action(
            "The counter stands still: run this twice, a minute apart.",
            'oneiric metrics oneiric_resolution_failures_total | grep "domain=" | grep -v " 0.0"',
            "...",
        ),
        Action("The alert resolves within five minutes."),
    ),
    minutes=30,
    record=("the key and the reason", "since when it failed", "the release or change before it"),
    prevention=(
        "Name in `runtime.start` what must run: a service without it is not ready, and a rollout stops.",
        "Check settings with `oneiric settings check` before they are deployed.",
    ),
)

SWAPS = Incident(
    title="Hot-swap failures",
    alerts=("OneiricSwapFailures", "OneiricRollbackBurst"),
    scenario="swap-failures",
    impact="New providers cannot take over. Users keep the previous one; a component that had none is not available.",
    variables={"DOMAIN": "adapter", "KEY": "cache", "PREVIOUS": "steady"},
    first=(
        Action(
            "Which provider serves the key, and what is the last error?",
            'oneiric status "$KEY" --domain "$DOMAIN"',
            "...\n  - cache/steady: active, served by steady\n      lifecycle: <state>, last error: Health check "
            "failed for "
            "adapter:cache (flaky)\n...",
            then=(
                ("A provider serves", "users are not affected; go on with the diagnosis"),
                ("`served by nobody`", "step 2"),
            ),
        ),
        Action(
            "Let the previous provider serve.",
            'oneiric swap "$KEY" --domain "$DOMAIN" --provider "$PREVIOUS"',
            "Swapped adapter:cache -> steady; instance=<words>",
            undo="swap to the other provider. The choice holds until the next restart or a change of the selection.",
        ),
        Action("Stop what requests the swaps: a deployment, a script, or whoever edits the selection."),
    ),
    diagnosis=(
        Action(
            "Why do the swaps fail?",
            'oneiric metrics oneiric_lifecycle_swap_failures_total | grep "domain=" | grep -v " 0.0"',
            '...\noneiric_lifecycle_swap_failures_total{domain="adapter",key="cache",reason="health"} <number>\n...',
            then=(
                ("`reason` is `health`", "step 2, then A"),
                ("`reason` is `factory` or `no_candidate`", "step 3, then B"),
                ("`reason` is `timeout`", "step 3, then C"),
            ),
        ),
        Action(
            "What do the health checks report?",
            'oneiric logs --event health-check-failed --domain "$DOMAIN" --key "$KEY" --since 10m --lines 1',
            "<time> warning health-check-failed adapter/cache provider=flaky phase=swap check=health <words>",
            event=(events.HealthCheck, "failed"),
        ),
        Action(
            "What error does the swap report?",
            'oneiric logs --event swap-failed --domain "$DOMAIN" --key "$KEY" --since 10m --lines 1',
            "<time> error swap-failed adapter/cache provider=flaky reason=health <words>",
            event=(events.Swap, "failed"),
        ),
    ),
    remedies=(
        Remedy(
            "The new provider's health check fails",
            (
                Action("Fix the settings of the new provider, or restore the service that it depends on."),
                Action(
                    "Is the provider that serves healthy?",
                    'oneiric health --probe --domain "$DOMAIN" --key "$KEY"',
                    "...\nadapter/cache: <state>, served by steady, probe passed<words>\n...",
                ),
                Action(
                    "Swap once more. With `--force` the failed check is ignored: only where the check itself is wrong.",
                    'oneiric swap "$KEY" --domain "$DOMAIN"',
                    "Swapped adapter:cache -> <provider>; instance=<words>",
                    undo="swap to the previous provider.",
                ),
            ),
        ),
        Remedy(
            "The new provider cannot be created",
            (
                Action(
                    "Which factory is called? Fix its import path or its start-up code.",
                    'oneiric explain "$KEY" --domain "$DOMAIN"',
                    '{\n  "domain": "adapter",\n  "key": "cache",\n...',
                ),
            ),
        ),
        Remedy(
            "The swap times out",
            (
                Action(
                    "Find out what the provider waits for, or raise these limits and restart the service.",
                    "oneiric settings show lifecycle",
                    "...\nlifecycle.activation_timeout = <seconds>\n...\nlifecycle.health_timeout = <seconds>\n...",
                ),
            ),
        ),
    ),
    verification=(
        Action(
            "The provider serves, without a newer error.",
            'oneiric status "$KEY" --domain "$DOMAIN"',
            "...\n  - cache/<provider>: active, served by <provider>\n...",
        ),
        Action("The alert resolves within five minutes."),
    ),
    minutes=30,
    record=("the key, the new and the previous provider", "the reason and the first error", "who or what swaps"),
    prevention=(
        "Try a new provider in one replica first.",
        "Give health checks a deadline of their own, and test them with the dependency down.",
    ),
)
