"""An exported model, run as TensorFlow Serving runs it.

TensorFlow Serving loads a SavedModel into a session and runs it by tensor
names; `tf.saved_model.load` does something else, and accepts files that fail
there.  The exporter's own check, the stand-in server, the load test and the
tests all run models through this class.
"""

from pathlib import Path

import tensorflow as tf

TAG = "serve"


class Servable:
    """One version of an exported model in a session of its own.

    Calls may come from several threads.

    Args:
        path: str or path of a version's folder.
        threads: int or None. Limit on the session's processor cores.

    Attributes:
        path: pathlib.Path of the version's folder.
        signatures: dict from a signature's name to its `SignatureDef`.

    Raises:
        ValueError: if the folder does not hold a SavedModel.
        tf.errors.OpError: if the session loader refuses it.

    Example:
        with Servable("models/tfdivcolor/1") as model:
            model.run("serving_default", {"image_bytes": [jpeg]})
    """

    def __init__(self, path, threads=None):
        self.path = Path(path)
        if not tf.saved_model.contains_saved_model(str(path)):
            raise ValueError(
                f"{path}: must be the folder of an exported model's version "
                "(received one without saved_model.pb)")
        config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=threads or 0,
            inter_op_parallelism_threads=threads or 0)
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph, config=config)
        try:
            with graph.as_default():
                meta = tf.compat.v1.saved_model.load(
                    self._session, [TAG], str(path))
        except BaseException:
            self._session.close()
            raise
        # What begins with __ is the loader's own, no signature.
        self.signatures = {
            name: signature
            for name, signature in meta.signature_def.items()
            if not name.startswith("__")}

    def run(self, signature, inputs, outputs=None):
        """Calls a signature.

        Args:
            signature: str.
            inputs: dict from every input's name to an array.
            outputs: names of the outputs wanted, or None for all.

        Returns:
            dict from an output's name to a NumPy array; strings come as
            bytes in an array of objects.

        Raises:
            KeyError: there is no such signature, input or output.
            tf.errors.OpError: the model refused the inputs.
        """
        definition = self.signatures[signature]
        names = definition.outputs if outputs is None else outputs
        return self._session.run(
            {name: definition.outputs[name].name for name in names},
            {definition.inputs[name].name: value
             for name, value in inputs.items()})

    def close(self):
        """Frees the session."""
        self._session.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
