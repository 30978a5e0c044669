"""What no schema sees: whether objects of Kubernetes fit each other, and what they start."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Any

import yaml
from deployment.kubernetes.objects import Object, Pod, named, of_kind, pods, selects, settings
from deployment.kubernetes.quantities import quantity

from oneiric.core.config import OneiricSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATHS = {"/livez", "/readyz", "/metrics"}
"""What the service answers, as tests/deployment/kubernetes/test_process.py sees it."""
HANDLERS = {"exec", "grpc", "httpGet", "tcpSocket"}
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
MARGIN = 5
"""Seconds that a pod has left when the service has used all of its time to stop."""


def faults(objects: list[Object]) -> list[str]:
    """Return what is wrong with *objects*, a sentence each."""
    return [fault for check in CHECKS for fault in check(objects)]


def _selectors(objects: list[Object]) -> Iterator[str]:
    """Selectors of workloads, services, budgets, policies and spreading are met by the labels of pods."""
    every = list(pods(objects))
    for found in objects:
        spec = found.get("spec", {})
        if found["kind"] == "Service":
            yield from _none_selected(named(found), spec.get("selector", {}), every)
        elif found["kind"] == "NetworkPolicy":
            yield from _none_selected(named(found), spec["podSelector"].get("matchLabels", {}), every)
        elif found["kind"] in {"Deployment", "PodDisruptionBudget"}:
            yield from _none_selected(named(found), spec["selector"]["matchLabels"], every)
    for pod in every:
        for term in _placement(pod):
            yield from _none_selected(pod.owner, term["labelSelector"]["matchLabels"], [pod])


def _none_selected(who: str, selector: dict[str, str], candidates: list[Pod]) -> Iterator[str]:
    if sum(selects(selector, pod.labels) for pod in candidates) != 1:
        yield f"{who} does not select the pods of exactly one workload: {selector}"


def _placement(pod: Pod) -> Iterator[Any]:
    yield from pod.spec.get("topologySpreadConstraints", ())
    affinity = pod.spec.get("affinity", {}).get("podAntiAffinity", {})
    for weighted in affinity.get("preferredDuringSchedulingIgnoredDuringExecution", ()):
        yield weighted["podAffinityTerm"]
    yield from affinity.get("requiredDuringSchedulingIgnoredDuringExecution", ())


def _scrapes(objects: list[Object]) -> Iterator[str]:
    """Where something scrapes, it scrapes each pod with a metrics port once."""
    monitors, services = of_kind(objects, "ServiceMonitor"), of_kind(objects, "Service")
    scraped: Counter[str] = Counter()
    for monitor in monitors:
        chosen = [one for one in services if selects(_match(monitor), one["metadata"].get("labels", {}))]
        if not chosen:
            yield f"{named(monitor)} selects no service"
        for service in chosen:
            ports = {port["name"] for port in service["spec"]["ports"]}
            yield from _job(monitor, service)
            for endpoint in monitor["spec"]["endpoints"]:
                if endpoint["port"] not in ports:
                    yield f"{named(monitor)} scrapes the port {endpoint['port']}, which {named(service)} lacks"
                if endpoint.get("path", "/metrics") not in PATHS:
                    yield f"{named(monitor)} scrapes {endpoint['path']}, which nothing serves"
                scraped.update(pod.owner for pod in pods(objects) if selects(service["spec"]["selector"], pod.labels))
    for pod in pods(objects):
        scraped[pod.owner] += pod.annotations.get("prometheus.io/scrape") == "true"
        if monitors and "metrics" in pod.ports and scraped[pod.owner] != 1:
            yield f"{pod.owner} is scraped {scraped[pod.owner]} times"


def _match(monitor: Object) -> dict[str, str]:
    labels: dict[str, str] = monitor["spec"]["selector"]["matchLabels"]
    return labels


def _job(monitor: Object, service: Object) -> Iterator[str]:
    for endpoint in monitor["spec"]["endpoints"]:
        fixed = {one["targetLabel"]: one.get("replacement") for one in endpoint.get("relabelings", ())}
        job = fixed.get("job", service["metadata"]["name"])
        if job != "oneiric":
            yield f"{named(monitor)} gives the job {job}, and the rules ask for oneiric"


def _ports(objects: list[Object]) -> Iterator[str]:
    """Ports that services, ingresses and routes lead to are there."""
    every = list(pods(objects))
    services = {one["metadata"]["name"]: one for one in of_kind(objects, "Service")}
    for service in services.values():
        there = [pod.ports for pod in every if selects(service["spec"].get("selector", {}), pod.labels)]
        for port in service["spec"]["ports"]:
            if not all(port["targetPort"] in ports for ports in there):
                yield f"{named(service)} leads to the port {port['targetPort']}, which its pods lack"
    for who, name, port in _backends(objects):
        ports = services.get(name, {"spec": {"ports": []}})["spec"]["ports"]
        if port not in {one["name"] for one in ports} | {one["port"] for one in ports}:
            yield f"{who} leads to the port {port} of the service {name}, which is not there"


def _opened(objects: list[Object]) -> Iterator[str]:
    """Ports that probes ask at, and that policies open, are there."""
    every = list(pods(objects))
    for pod in every:
        for container in pod.containers:
            for name, probe in _probes(container):
                port = probe.get("httpGet", {}).get("port", "metrics")
                if port not in pod.ports:
                    yield f"{pod.owner}: {name} asks at the port {port}, which is not there"
    for policy in of_kind(objects, "NetworkPolicy"):
        for entry in chain.from_iterable(rule["ports"] for rule in policy["spec"].get("ingress", ())):
            if isinstance(entry["port"], str) and not any(entry["port"] in pod.ports for pod in every):
                yield f"{named(policy)} opens the port {entry['port']}, which no pod has"


def _backends(objects: list[Object]) -> Iterator[tuple[str, str, str | int]]:
    for ingress in of_kind(objects, "Ingress"):
        for rule in ingress["spec"].get("rules", ()):
            for path in rule["http"]["paths"]:
                service = path["backend"]["service"]
                yield named(ingress), service["name"], service["port"].get("name") or service["port"]["number"]
    for route in of_kind(objects, "HTTPRoute"):
        for rule in route["spec"]["rules"]:
            for backend in rule["backendRefs"]:
                yield named(route), backend["name"], backend["port"]


def _probes(container: Object) -> Iterator[tuple[str, Object]]:
    for name in PROBES:
        if probe := container.get(name):
            yield name, probe


def _handlers(objects: list[Object]) -> Iterator[str]:
    """Each probe has one handler, and asks for what is served; liveness never asks for readiness."""
    for pod in pods(objects):
        for container in pod.containers:
            for name, probe in _probes(container):
                if len(HANDLERS & probe.keys()) != 1:
                    yield f"{pod.owner}: {name} has the handlers {sorted(HANDLERS & probe.keys())}"
                path = probe.get("httpGet", {}).get("path")
                if path is not None and path not in PATHS:
                    yield f"{pod.owner}: {name} asks for {path}, which nothing serves"
                if name != "readinessProbe" and path == "/readyz":
                    yield f"{pod.owner}: {name} would kill who is only not ready"


def _quantities(objects: list[Object]) -> Iterator[str]:
    """Quantities can be read, and no request is beyond its limit."""
    for found in objects:
        for where, text in _quantities_in(found):
            if quantity(text) is None:
                yield f"{named(found)}: {where} is no quantity: {text}"
    for pod in pods(objects):
        for container in pod.containers:
            resources = container.get("resources", {})
            for name, limit in resources.get("limits", {}).items():
                asked, most = quantity(resources.get("requests", {}).get(name, 0)), quantity(limit)
                if asked is not None and most is not None and asked > most:
                    yield f"{pod.owner} requests more {name} than its limit"


def _quantities_in(value: Any, key: str = "", above: str = "") -> Iterator[tuple[str, Any]]:
    if key in {"sizeLimit", "averageValue"} or above in {"requests", "limits"}:
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _quantities_in(inner, name, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _quantities_in(inner, key, above)


def _scaling(objects: list[Object]) -> Iterator[str]:
    """Who scales names a workload that leaves the number to him, with min <= max and what he measures requested."""
    workloads = {one["metadata"]["name"]: one for one in of_kind(objects, "Deployment")}
    for scaler in of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject"):
        spec = scaler["spec"]
        least, most = (spec.get(f"{end}{'Replicas' if 'minReplicas' in spec else 'ReplicaCount'}", 1) for end in _ENDS)
        if least > most:
            yield f"{named(scaler)} wants at least {least} and at most {most}"
        target = workloads.get(spec["scaleTargetRef"]["name"])
        if target is None:
            yield f"{named(scaler)} scales {spec['scaleTargetRef']['name']}, which is not there"
        elif "replicas" in target["spec"]:
            yield f"{named(target)} writes replicas, which {named(scaler)} decides"
        else:
            yield from _unmeasured(scaler, target)
    if len(of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject")) > len(workloads):
        yield "two scale one workload"


_ENDS = ("min", "max")


def _unmeasured(scaler: Object, target: Object) -> Iterator[str]:
    for metric in scaler["spec"].get("metrics", ()):
        resource = metric.get("resource", {}).get("name")
        for container in target["spec"]["template"]["spec"]["containers"]:
            if resource and resource not in container.get("resources", {}).get("requests", {}):
                yield f"{named(scaler)} measures {resource}, which {named(target)} does not request"


def _volumes(objects: list[Object]) -> Iterator[str]:
    """What is mounted is there, and what the environment names lies on a volume, writable unless it is read only."""
    there = {(one["kind"], one["metadata"]["name"]) for one in objects}
    for pod in pods(objects):
        volumes = {one["name"]: one for one in pod.spec.get("volumes", ())}
        for volume in volumes.values():
            for kind, name in _sources(volume):
                if (kind, name) not in there:
                    yield f"{pod.owner} mounts the {kind} {name}, which is not there"
        for container in pod.containers:
            mounts = container.get("volumeMounts", ())
            for mount in mounts:
                if mount["name"] not in volumes:
                    yield f"{pod.owner} mounts the volume {mount['name']}, which is not there"
            yield from _unmounted(pod, container, [mount["mountPath"] for mount in mounts])


def _sources(volume: Object) -> Iterator[tuple[str, str]]:
    if "configMap" in volume and not volume["configMap"].get("optional"):
        yield "ConfigMap", volume["configMap"]["name"]
    if "persistentVolumeClaim" in volume:
        yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]


def _unmounted(pod: Pod, container: Object, mounted: list[str]) -> Iterator[str]:
    for variable in container.get("env", ()):
        value = variable.get("value", "")
        for path in value.split(":") if value.startswith("/") else ():
            if not any(path == mount or path.startswith(f"{mount}/") for mount in mounted):
                yield f"{pod.owner}: {variable['name']} names {path}, which no volume is mounted at"


def _stops(objects: list[Object]) -> Iterator[str]:
    """A pod has the time to stop that its service takes, and the ready count never falls in an update."""
    for deployment in of_kind(objects, "Deployment"):
        spec = deployment["spec"]["template"]["spec"]
        if "settings" not in {volume["name"] for volume in spec["volumes"]}:
            continue
        asked = OneiricSettings.exactly(**yaml.safe_load(settings(objects))).runtime.stop_timeout
        before = spec["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if spec.get("terminationGracePeriodSeconds", 30) < before + asked + MARGIN:
            yield f"{named(deployment)} is killed before it can stop: {before} s + {asked:g} s + {MARGIN} s"
        strategy = deployment["spec"].get("strategy", {})
        has_claim = any("persistentVolumeClaim" in volume for volume in spec["volumes"])
        if has_claim and strategy.get("type") != "Recreate":
            yield f"{named(deployment)} lets two pods have its volume"
        if not has_claim and strategy.get("rollingUpdate", {}).get("maxUnavailable") != 0:
            yield f"{named(deployment)} lets the ready count fall in an update"


def _security(objects: list[Object]) -> Iterator[str]:
    """Every pod keeps to the restricted profile of Pod Security, and no image is whatever is newest."""
    for pod in pods(objects):
        context = pod.spec.get("securityContext", {})
        if context.get("runAsNonRoot") is not True or context.get("runAsUser") == 0:
            yield f"{pod.owner} may run as root"
        if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{pod.owner} filters no system calls"
        if pod.spec.get("automountServiceAccountToken") is not False:
            yield f"{pod.owner} has a token of the API server"
        for container in pod.containers:
            own = container.get("securityContext", {})
            if own.get("allowPrivilegeEscalation") is not False or own.get("capabilities", {}).get("drop") != ["ALL"]:
                yield f"{pod.owner} may gain privileges"
            if own.get("readOnlyRootFilesystem") is not True:
                yield f"{pod.owner} writes into its root file system"
            tag = container["image"].rpartition("/")[2].partition(":")[2]
            if not tag or tag == "latest":
                yield f"{pod.owner} runs whatever {container['image']} is"


CHECKS: tuple[Callable[[list[Object]], Iterator[str]], ...] = (
    _selectors,
    _scrapes,
    _ports,
    _opened,
    _handlers,
    _quantities,
    _scaling,
    _volumes,
    _stops,
    _security,
)
