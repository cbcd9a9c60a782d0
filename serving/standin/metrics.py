"""TensorFlow Serving's metrics for Prometheus, with the same names."""

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
        # A gauge, because the library would end a counter's name in _total.
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
        """A context that records the prediction made in it.

        Like TensorFlow Serving, it times only successful predictions.

        Args:
            entrypoint: "GRPC" or "REST".
        """
        start = time.perf_counter()
        try:
            yield
        # A `ServingError`, or the client disconnected.
        except BaseException as error:
            code = getattr(error, "code", "UNKNOWN")
            self._count.labels(self._model_name, code).inc()
            raise
        self._count.labels(self._model_name, "OK").inc()
        self._latency.labels(self._model_name, "Predict", entrypoint).observe(
            1e6 * (time.perf_counter() - start))

    def page(self):
        """Returns all metrics in Prometheus' text format, bytes."""
        return prometheus_client.generate_latest(self._registry)
