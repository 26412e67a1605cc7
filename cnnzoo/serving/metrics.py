"""What Prometheus reads, under the names that TensorFlow Serving has for it, and the memory and time of the process."""

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
    """How many requests there were and how long they took."""

    def __init__(self):
        disable_created_metrics()  # the server has none
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
            model: A name that is served, or "": each name of a request that is none would be kept for ever.
            api: Such as "predict"; "" is a question about the model.
            code: A canonical code, such as "OK".
        """
        self._count.labels(model, code).inc()
        if code == "OK":
            self._latency.labels(model, api, "REST").observe(1e6 * seconds)

    def page(self) -> bytes:
        page = generate_latest(self.registry)
        return page.replace(f"{COUNT}_total".encode(), COUNT.encode())  # the library adds an ending that is not there
