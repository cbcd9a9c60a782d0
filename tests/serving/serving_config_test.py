"""What TensorFlow Serving, Prometheus and Grafana read, held to the sources.

TensorFlow Serving's config messages, its rule for taking up a new
configuration, along the runbook's edits, and the names of its metrics.
"""

import json
import re
from pathlib import Path

import pytest
import yaml
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

SERVING = Path(__file__).parents[2] / "serving"
DEPLOY = SERVING / "deploy"

# Registered in its and TensorFlow's sources, "/" made ":" as its exporter for
# Prometheus does, and the labels of each.
COUNTERS = {
    ":tensorflow:serving:request_count": {"model_name", "status"},
    ":tensorflow:serving:batching_session:wrapped_run_count": set(),
    ":tensorflow:cc:saved_model:load_attempt_count": {"model_path", "status"},
    ":tensorflow:cc:saved_model:load_latency": {"model_path"},
}
HISTOGRAMS = {
    ":tensorflow:serving:request_latency": {
        "model_name", "API", "entrypoint"},
    ":tensorflow:serving:runtime_latency": {"model_name", "API", "runtime"},
    ":tensorflow:serving:model_warmup_latency": {"model_path", "status"},
    ":tensorflow:serving:batching_session:queuing_latency": {
        "thread_pool_name"},
}
METRICS = COUNTERS | {
    name + ending: labels | ({"le"} if ending == "_bucket" else set())
    for name, labels in HISTOGRAMS.items()
    for ending in ("_bucket", "_sum", "_count")}


def _yaml(name):
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


# --- Config messages of TensorFlow Serving ---


def _message(package, **messages):
    """Builds message classes that no package on PyPI has.

    Args:
        package: str.
        **messages: dict from a field's name to (number, type, repeated); the
            type is a protobuf scalar's or a message's name.

    Returns:
        The class of the last message.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto", package=package, syntax="proto3",
        dependency=["google/protobuf/wrappers.proto"])
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, repeated) in fields.items():
            scalar = f"TYPE_{kind.upper()}" in kinds.Type.keys()
            message.field.add(
                name=field, number=number, label=3 if repeated else 1,
                type=kinds.Type.Value(
                    f"TYPE_{kind.upper()}" if scalar else "TYPE_MESSAGE"),
                type_name=None if scalar else f".{kind}")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName(f"{package}.{name}"))


def _batching_parameters(text):
    whole, word = "google.protobuf.Int64Value", "google.protobuf.StringValue"
    return text_format.Parse(text, _message("batching", BatchingParameters={
        "max_batch_size": (1, whole, False),
        "batch_timeout_micros": (2, whole, False),
        "max_enqueued_batches": (3, whole, False),
        "num_batch_threads": (4, whole, False),
        "thread_pool_name": (5, word, False),
        "allowed_batch_sizes": (6, "int64", True),
        "pad_variable_length_inputs": (7, "bool", False)})())


def _model_config():
    config = text_format.Parse(
        (DEPLOY / "config/models.config").read_text(),
        model_server_config_pb2.ModelServerConfig())
    model, = config.model_config_list.config
    return model


def test_models_config():
    model = _model_config()
    assert model.name == "tfdivcolor" and model.model_platform == "tensorflow"
    assert model.base_path == "/models/tfdivcolor"
    assert set(model.version_labels.values()) <= set(
        model.model_version_policy.specific.versions)


def test_monitoring_config_is_where_prometheus_looks():
    config = text_format.Parse(
        (DEPLOY / "config/monitoring.config").read_text(),
        _message("monitoring", PrometheusConfig={
            "enable": (1, "bool", False), "path": (2, "string", False)},
            MonitoringConfig={"prometheus_config": (
                1, "monitoring.PrometheusConfig", False)})())
    assert config.prometheus_config.enable
    path = config.prometheus_config.path
    scrape, = _yaml("prometheus.yml")[0]["scrape_configs"]
    assert scrape["metrics_path"] == path
    assert scrape["static_configs"] == [{"targets": ["tfdivcolor:8501"]}]
    deployment, = _yaml("kubernetes/deployment.yaml")
    assert deployment["spec"]["template"]["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true", "prometheus.io/port": "8501",
        "prometheus.io/path": path}
    assert _yaml("kserve.yaml")[0]["metadata"]["annotations"][
        "prometheus.kserve.io/path"] == path


def test_batching_parameters_give_a_thread_for_each_core():
    config = _batching_parameters(
        (DEPLOY / "config/batching_parameters.txt").read_text())
    compose, = _yaml("docker-compose.yml")
    limits = compose["services"]["tfdivcolor"]["deploy"]["resources"]["limits"]
    assert str(config.num_batch_threads.value) == limits["cpus"]
    with pytest.raises(text_format.ParseError):
        _batching_parameters("num_batch_threads: 2")


# --- Rolling out ---


def _edits():
    """The edits of models.config that the runbook shows, in its order."""
    blocks = re.findall(r"```proto\n(.+?)```",
                        (SERVING / "README.md").read_text().replace(
                            "\n   ", "\n"), re.DOTALL)
    return [text_format.Parse(block, model_server_config_pb2.ModelConfig())
            for block in blocks]


class _Server:
    """TensorFlow Serving's rule for a new configuration (server_core.cc).

    With --allow_version_labels_for_unavailable_models a label may name a
    version that is not loaded only if it does not stand for another already.
    """

    def __init__(self, config):
        self.labels, self.loaded = {}, set()
        assert self.reload(config)

    def reload(self, config):
        for label, version in config.version_labels.items():
            if (self.labels.get(label, version) != version
                    and version not in self.loaded):
                return False
        self.labels = dict(config.version_labels)
        self.loaded = set(config.model_version_policy.specific.versions)
        return True


def test_the_runbook_rolls_out_and_back():
    canary, promoted, retired, back, loaded_again = _edits()
    server = _Server(_model_config())
    stable = [server.labels["stable"]]
    for edit in (canary, promoted, back, promoted, retired, loaded_again,
                 back):
        assert server.reload(edit)
        assert set(server.labels.values()) <= server.loaded
        stable.append(server.labels["stable"])
    assert stable == [1, 1, 2, 1, 2, 2, 2, 1]
    assert set(canary.version_labels) == {"stable", "canary"}


def test_the_runbook_is_right_that_short_cuts_are_refused():
    canary, promoted, retired, back, _ = _edits()
    server = _Server(_model_config())
    assert not server.reload(promoted)  # version 2 is not loaded yet
    assert server.reload(canary)
    assert server.reload(promoted) and server.reload(retired)
    assert not server.reload(back)  # version 1 is not loaded any more


# --- Monitoring ---


def _check_query(query):
    """Metrics exist, and are asked for labels that they have."""
    names = re.findall(r":tensorflow[\w:]*", query)
    assert names or "up{" in query
    known = {"job", "instance"}
    for name in names:
        assert name in METRICS, name
        known |= METRICS[name]
    asked = re.findall(r'(\w+)=~?"', query)
    for group in re.findall(r"by \(([^)]*)\)", query):
        asked += re.split(r",\s*", group)
    assert set(asked) <= known


def test_dashboard_asks_for_metrics_that_exist():
    board = json.loads((DEPLOY / "grafana.json").read_text())
    assert len({panel["id"] for panel in board["panels"]}) == len(
        board["panels"])
    for panel in board["panels"]:
        assert panel["datasource"]["uid"] == "${source}"
        for target in panel["targets"]:
            _check_query(target["expr"])
            assert ("_latency" in target["expr"]) == (
                panel["fieldConfig"]["defaults"]["unit"] == "µs")


def test_alerts_ask_for_metrics_that_exist():
    file, = _yaml("prometheus.yml")[0]["rule_files"]
    group, = _yaml(file)[0]["groups"]
    for rule in group["rules"]:
        _check_query(rule["expr"])
        assert rule["labels"]["severity"] in ("warning", "critical")
