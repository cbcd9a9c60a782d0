"""TensorFlow Serving's figures for Prometheus, under its own names."""

import prometheus_client

# Microseconds: 10 * 1.8**i, up to about 20 minutes.
_BUCKETS = [10 * 1.8**power for power in range(33)]


class Metrics:
    """Counts and times the predictions of one server.

    Args:
        model_name: str.
    """

    def __init__(self, model_name):
        self._model_name = model_name
        self._registry = prometheus_client.CollectorRegistry()
        self._count = prometheus_client.Counter(
            ":tensorflow:serving:request_count",
            "The total number of requests.",
            ["model_name", "status"], registry=self._registry)
        self._latency = prometheus_client.Histogram(
            ":tensorflow:serving:request_latency",
            "Distribution of wall time (in microseconds) for requests.",
            ["model_name", "API", "entrypoint"], buckets=_BUCKETS,
            registry=self._registry)

    def record(self, entrypoint, code, seconds):
        """Records one prediction.

        Args:
            entrypoint: "GRPC" or "REST".
            code: str. Name of its status code.
            seconds: float. Only successes are timed, as in TensorFlow
                Serving.
        """
        self._count.labels(self._model_name, code).inc()
        if code == "OK":
            self._latency.labels(
                self._model_name, "Predict", entrypoint).observe(1e6 * seconds)

    def page(self):
        """bytes in Prometheus' text format."""
        page = prometheus_client.generate_latest(self._registry)
        # The library wants a counter's name to end in _total and adds times
        # of creation; TensorFlow Serving has neither.
        lines = page.replace(b"request_count_total", b"request_count")
        return b"".join(line for line in lines.splitlines(keepends=True)
                        if b"_created" not in line.split(b"{")[0])
