"""Where the traces of a process go: to an OTLP endpoint, when one is named.

By the setting telemetry.traces_endpoint, or as everywhere by OTEL_EXPORTER_OTLP_ENDPOINT. OpenTelemetry's own variables
say the rest: OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME, OTEL_SDK_DISABLED, …
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping

from fleetlog_core.serving.traces import NoTraces, Traces

from fleetlog_deploy.settings.load import SettingsRefused
from fleetlog_deploy.settings.model import Settings

diagnostics = logging.getLogger(__name__)
VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
MISSING = "it needs the packages of OpenTelemetry: pip install 'fleetlog[traces]'"
CLOSE_SECONDS = 5.0
"""The end of a process waits so long for its last spans."""


def traces_of(settings: Settings, name: str, environment: Mapping[str, str] | None = None) -> Traces:
    """The traces of a process; `name` says what it serves. SettingsRefused when the packages are not there."""
    environment = os.environ if environment is None else environment
    endpoint = settings.telemetry.traces_endpoint
    wanted = endpoint or any(environment.get(variable) for variable in VARIABLES)
    if not wanted or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return NoTraces()
    try:
        return _exported(endpoint, name, environment)
    except ImportError as error:
        if endpoint:
            raise SettingsRefused([f"telemetry.traces_endpoint: {MISSING} ({error})"]) from None
        # Said to all processes of a machine, maybe: no reason for one not to serve.
        diagnostics.warning("%s is set, and there are no traces: %s (%s)", _set(environment), MISSING, error)
        return NoTraces()


def _set(environment: Mapping[str, str]) -> str:
    return next(variable for variable in VARIABLES if environment.get(variable))


def _exported(endpoint: str, name: str, environment: Mapping[str, str]) -> Traces:
    from fleetlog_core.serving.otel import OtelTraces
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = {} if environment.get("OTEL_SERVICE_NAME") else {"service.name": f"fleetlog-{name}"}
    provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=endpoint or None)
    provider.add_span_processor(BatchSpanProcessor(exporter))

    def close() -> None:
        # The provider itself would wait half a minute for a collector that is away.
        enough = threading.Timer(CLOSE_SECONDS, exporter.shutdown)
        enough.daemon = True
        enough.start()
        provider.shutdown()
        enough.cancel()

    return OtelTraces(provider, close)
