"""Compose, Kubernetes, KServe and runbook agree, and use flags that exist.

No server runs here; its configuration files are serving_config_test's.
"""

import http.server
import re
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest
import yaml

SERVING = Path(__file__).parents[2] / "serving"
DEPLOY = SERVING / "deploy"
IMAGE = "tensorflow/serving:2.20.0"
METADATA = "/v1/models/tfdivcolor/metadata"

# Of tensorflow_model_server: the names in model_servers/main.cc.
FLAGS = frozenset("""
    allow_version_labels_for_unavailable_models batching_parameters_file
    enable_batching enable_grpc_healthcheck_service enable_model_warmup
    enable_per_model_batching_parameters enable_profiler
    enable_serialization_as_tensor_content enable_signature_method_name_check
    file_system_poll_wait_seconds flush_filesystem_caches
    grpc_channel_arguments grpc_max_threads grpc_socket_path
    load_retry_interval_micros max_num_load_retries mixed_precision
    model_base_path model_config_file model_config_file_poll_wait_seconds
    model_name monitoring_config_file num_load_threads
    num_request_iterations_for_warmup num_tflite_interpreters_per_pool
    num_tflite_pools num_unload_threads per_process_gpu_memory_fraction
    platform_config_file port prefer_tflite_model
    remove_unused_fields_from_bundle_metagraph rest_api_enable_cors_support
    rest_api_num_threads rest_api_port rest_api_timeout_in_ms
    saved_model_tags skip_initialize_tpu ssl_config_file
    tensorflow_inter_op_parallelism tensorflow_intra_op_parallelism
    tensorflow_session_config_file tensorflow_session_parallelism
    thread_pool_factory_config_file use_alts_credentials version
    xla_cpu_compilation_enabled xla_gpu_compilation_enabled
    """.split())

def _yaml(name):
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def _compose():
    return _yaml("docker-compose.yml")[0]["services"]


def _kubernetes():
    """All Kubernetes objects by (kind, name)."""
    found = [entry for path in DEPLOY.glob("kubernetes/*.yaml")
             for entry in _yaml(path)]
    return {(entry["kind"], entry["metadata"]["name"]): entry
            for entry in found}


def _pod():
    return _kubernetes()["Deployment", "tfdivcolor"]["spec"]["template"][
        "spec"]


def _flags(arguments):
    """dict from a flag's name to its value."""
    assert all(re.fullmatch(r"--\w+=.+", each) for each in arguments)
    return dict(each[2:].split("=", 1) for each in arguments)


def _servers():
    """The flags of every place that starts TensorFlow Serving."""
    return {
        "compose": _flags(_compose()["tfdivcolor"]["command"]),
        "kubernetes": _flags(_pod()["containers"][0]["args"]),
        "kserve": _flags(_kserve()["args"])}


def _kserve():
    return _yaml("kserve.yaml")[0]["spec"]["predictor"]["model"]


# --- Flags, names, ports ---


@pytest.mark.parametrize("place", ["compose", "kubernetes", "kserve"])
def test_flags_exist_and_fit_together(place):
    flags = _servers()[place]
    assert set(flags) <= FLAGS
    assert flags["max_num_load_retries"] == "0"
    # Refused at start otherwise.
    assert ("batching_parameters_file" not in flags
            or flags["enable_batching"] == "true")
    assert "tensorflow_session_parallelism" not in flags
    for name in ("model_config_file", "monitoring_config_file",
                 "batching_parameters_file"):
        path = Path(flags.get(name, "/config/models.config"))
        assert (DEPLOY / "config" / path.name).is_file()


def test_compose_and_kubernetes_start_the_server_alike():
    servers = _servers()
    assert servers["compose"] == servers["kubernetes"]
    assert _compose()["tfdivcolor"]["entrypoint"] == _pod()["containers"][0][
        "command"]


def test_flags_in_the_runbook_exist():
    text = (SERVING / "README.md").read_text()
    named = set(re.findall(r"--(\w+_\w+)", text))
    assert {"enable_batching", "max_num_load_retries"} <= named <= FLAGS


def test_threads_are_as_many_as_cores():
    limits = {
        "compose": _compose()["tfdivcolor"]["deploy"]["resources"]["limits"][
            "cpus"],
        "kubernetes": _pod()["containers"][0]["resources"]["limits"]["cpu"],
        "kserve": _kserve()["resources"]["limits"]["cpu"]}
    for place, flags in _servers().items():
        assert flags["tensorflow_intra_op_parallelism"] == limits[place]
        assert flags["tensorflow_inter_op_parallelism"] == limits[place]


def test_one_image_everywhere():
    assert _compose()["tfdivcolor"]["image"] == IMAGE
    assert _pod()["containers"][0]["image"] == IMAGE
    assert _kserve()["runtimeVersion"] == IMAGE.rpartition(":")[2]
    text = (SERVING / "README.md").read_text()
    assert IMAGE in text and "Serving 2.20.0" in text
    for name, service in _compose().items():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), name


def test_ports_are_the_machines_own():
    services = _compose()
    ports = {port for service in services.values()
             for port in service["ports"]}
    assert ports == {f"127.0.0.1:{port}:{port}"
                     for port in (8500, 8501, 8443, 9090)}
    flags = _flags(services["tfdivcolor"]["command"])
    assert (flags["port"], flags["rest_api_port"]) == ("8500", "8501")


def test_compose_mounts_the_model_and_the_configuration():
    mounts = {mount["target"]: mount
              for mount in _compose()["tfdivcolor"]["volumes"]}
    assert set(mounts) == {"/models/tfdivcolor", "/config"}
    assert (mounts["/models/tfdivcolor"]["source"]
            == "../../models/tfdivcolor")
    assert (DEPLOY / mounts["/config"]["source"]).is_dir()
    assert all(mount["read_only"] for mount in mounts.values())
    for name in ("prometheus", "proxy"):
        for mount in _compose()[name]["volumes"]:
            assert (DEPLOY / mount["source"]).exists()


def test_kubernetes_objects_name_each_other():
    objects, container = _kubernetes(), _pod()["containers"][0]
    label = {"app.kubernetes.io/name": "tfdivcolor"}
    deployment = objects["Deployment", "tfdivcolor"]
    assert deployment["spec"]["selector"]["matchLabels"] == label
    assert deployment["spec"]["template"]["metadata"]["labels"] == label
    ports = {port["name"]: port["containerPort"]
             for port in container["ports"]}
    assert ports == {"grpc": 8500, "http": 8501}
    for name in ("tfdivcolor", "tfdivcolor-grpc"):
        service = objects["Service", name]["spec"]
        assert service["selector"] == label
        for port in service["ports"]:
            assert ports[port["targetPort"]] == port["port"]
    assert objects["Service", "tfdivcolor-grpc"]["spec"]["clusterIP"] == "None"
    scaler = objects["HorizontalPodAutoscaler", "tfdivcolor"]["spec"]
    assert scaler["scaleTargetRef"] == {
        "apiVersion": "apps/v1", "kind": "Deployment", "name": "tfdivcolor"}
    volumes = {volume["name"]: volume for volume in _pod()["volumes"]}
    assert {mount["name"]: mount["mountPath"]
            for mount in container["volumeMounts"]} == {
        "models": "/models", "config": "/config", "tmp": "/tmp"}
    claim = volumes["models"]["persistentVolumeClaim"]["claimName"]
    assert ("PersistentVolumeClaim", claim) in objects
    assert _kserve()["storageUri"] == f"pvc://{claim}/tfdivcolor"
    generated, = _yaml("kustomization.yaml")[0]["configMapGenerator"]
    assert generated["name"] == volumes["config"]["configMap"]["name"]
    assert {Path(name).name for name in generated["files"]} == {
        path.name for path in (DEPLOY / "config").iterdir()}


def test_probes_ask_for_metadata():
    container = _pod()["containers"][0]
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": METADATA, "port": "http"}
    assert container["livenessProbe"]["grpc"] == {"port": 8500}
    assert _servers()["kubernetes"]["enable_grpc_healthcheck_service"] == "true"
    assert _kserve()["readinessProbe"]["httpGet"] == {
        "path": METADATA, "port": 8080}


def test_containers_may_do_little():
    for name in ("tfdivcolor", "proxy"):
        service = _compose()[name]
        assert service["user"] == "1000:1000" and service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["deploy"]["resources"]["limits"]["memory"]
    for pod in (_pod(), _kubernetes()["Pod", "tfdivcolor-loader"]["spec"]):
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] == 1000
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]}}
            assert container["resources"]["limits"]["memory"]


# --- What can be run ---


@pytest.mark.parametrize("code, healthy", [
    (200, True), (404, False), (503, False), (None, False)])
def test_health_check(code, healthy):
    paths = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            paths.append(self.path)
            self.send_response(code)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        port = server.server_port
        if code:
            threading.Thread(target=server.handle_request).start()
        else:  # a port where nobody listens
            with socket.create_server(("127.0.0.1", 0)) as other:
                port = other.getsockname()[1]
        how, *command = _compose()["tfdivcolor"]["healthcheck"]["test"]
        command[-1] = command[-1].replace("/8501", f"/{port}")
        done = subprocess.run(command, timeout=5, capture_output=True)
    assert how == "CMD" and (done.returncode == 0) == healthy
    assert paths == ([METADATA] if code else [])


@pytest.mark.skipif(not shutil.which("kubectl"), reason="no kubectl")
def test_kustomize_builds_everything():
    built = subprocess.run(["kubectl", "kustomize", DEPLOY], text=True,
                           capture_output=True, check=True).stdout
    objects = {entry["kind"]: entry for entry in yaml.safe_load_all(built)}
    assert set(objects) == {kind for kind, _ in _kubernetes()} - {"Pod"} | {
        "ConfigMap"}
    assert objects["ConfigMap"]["data"]["models.config"] == (
        DEPLOY / "config/models.config").read_text()


@pytest.mark.skipif(
    not shutil.which("docker") or subprocess.run(
        ["docker", "compose", "version"], capture_output=True).returncode,
    reason="no docker compose")
def test_docker_compose_takes_its_file():
    subprocess.run(["docker", "compose", "--file",
                    DEPLOY / "docker-compose.yml", "--profile", "*",
                    "config", "--quiet"], check=True)
