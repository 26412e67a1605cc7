"""Prometheus metrics under the names of TensorFlow Serving, and memory and time of the process."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

PATH = "/monitoring/prometheus/metrics"
COUNT, LATENCY = ":tensorflow:serving:request_count", ":tensorflow:serving:request_latency"


class Metrics:
    """The number of requests and their latency."""

    def __init__(self) -> None:
        disable_created_metrics()  # TensorFlow Serving has none
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._count = Counter(COUNT, "Requests.", ["model_name", "status"], registry=self.registry)
        self._latency = Histogram(
            LATENCY,
            "Microseconds that requests took which were answered.",
            ["model_name", "API", "entrypoint"],
            buckets=[10 * 1.8**i for i in range(33)],
            registry=self.registry,
        )

    def record(self, model: str, api: str, code: str, seconds: float) -> None:
        """Counts a request.

        Args:
            model: The name of a served model, or ""; names from requests would grow the registry without bound.
            api: Such as "predict"; "" for status and metadata.
            code: A canonical code, such as "OK".
        """
        self._count.labels(model, code).inc()
        if code == "OK":
            self._latency.labels(model, api, "REST").observe(1e6 * seconds)

    def page(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        page = generate_latest(self.registry)
        return page.replace(
            f"{COUNT}_total".encode(), COUNT.encode()
        )  # the library adds a suffix that TensorFlow Serving does not have
