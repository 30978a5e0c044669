"""A shop that is instrumented with OpenTelemetry: the runtime's spans are children of the request's."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

from oneiric import Candidate, OneiricSettings, RuntimeOrchestrator, configure_logging
from oneiric.observability import asgi_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# The application's own tracing, as it was. In production the exporter is another one.
provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
trace.set_tracer_provider(provider)

configure_logging()
settings = OneiricSettings(app={"name": "shop"}, observability={"metrics_server": False})
runtime = RuntimeOrchestrator(settings)
runtime.resolver.register(Candidate(domain="adapter", key="prices", provider="fixed", factory=dict))
telemetry = runtime.telemetry
assert telemetry is not None  # it is, unless the settings switch it off


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Run the runtime while the application runs, and export the last spans."""
    async with runtime:
        yield
    provider.shutdown()


app = FastAPI(lifespan=lifespan)
app.mount("/metrics", asgi_app(telemetry.exposition(ready=lambda: runtime.ready)))
FastAPIInstrumentor.instrument_app(app, excluded_urls="/metrics")


@app.post("/prices/reload")
async def reload() -> dict[str, str]:
    """Swap the prices for fresh ones: a span below the request's, and a log line with the trace's number."""
    prices = await runtime.adapter_bridge.use("prices", force_reload=True)
    return {"provider": prices.provider}
