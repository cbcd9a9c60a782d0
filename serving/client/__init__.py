"""A client for the exported model on a server, as a library and a command.

    client = serving.client.connect("http://127.0.0.1:8501")  # REST
    client = serving.client.connect("127.0.0.1:8500")         # gRPC
    result = client.colorize("photo.jpg", num_samples=8, seed=0)
    result.images  # uint8 [8, H, W, 3], safest first

`python -m serving.client` is the command.
"""

from serving.client.client import (
    DEFAULT_SERVER,
    Client,
    ServedColoring,
    connect,
    inputs_of,
    transport_to,
)
from serving.client.endpoint import Endpoint, ServerError

__all__ = [
    "DEFAULT_SERVER", "Client", "Endpoint", "ServedColoring", "ServerError",
    "connect", "inputs_of", "transport_to",
]
