"""TensorFlow Serving's figures for Prometheus, under its own names."""

import contextlib
import time

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
        # A gauge only since the library wants a counter's name to end in
        # _total, and the server's does not.
        self._count = prometheus_client.Gauge(
            ":tensorflow:serving:request_count",
            "The total number of requests.",
            ["model_name", "status"], registry=self._registry)
        self._latency = prometheus_client.Histogram(
            ":tensorflow:serving:request_latency",
            "Distribution of wall time (in microseconds) for requests.",
            ["model_name", "API", "entrypoint"], buckets=_BUCKETS,
            registry=self._registry)

    @contextlib.contextmanager
    def recording(self, entrypoint):
        """Records the prediction that is made within.

        Only successes are timed, as in TensorFlow Serving.

        Args:
            entrypoint: "GRPC" or "REST".
        """
        start = time.perf_counter()
        try:
            yield
        except BaseException as error:  # a `ServingError`, or the client left
            code = getattr(error, "code", "UNKNOWN")
            self._count.labels(self._model_name, code).inc()
            raise
        self._count.labels(self._model_name, "OK").inc()
        self._latency.labels(self._model_name, "Predict", entrypoint).observe(
            1e6 * (time.perf_counter() - start))

    def page(self):
        """bytes in Prometheus' text format."""
        return prometheus_client.generate_latest(self._registry)
