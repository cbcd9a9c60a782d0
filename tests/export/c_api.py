"""Runs an exported model through TensorFlow's C API, without Python's.

    python tests/export/c_api.py LIBRARIES MODEL REQUESTS RESULTS

LIBRARIES is the folder of libtensorflow_cc.so.2, MODEL a version's folder.
REQUESTS is a pickled list of (signature, dict of inputs); RESULTS becomes the
list of (code, message, dict of outputs).  XLA is turned off first, as
TensorFlow Serving turns it off.  This is what the server's own C++ does, and
finds what Python's session loader does not: operations without a kernel
outside Python.
"""

import contextlib
import ctypes
import json
import pickle
import sys
from pathlib import Path

import numpy as np

FLOAT, INT32, UINT8, STRING, INT64 = 1, 3, 4, 7, 9
TYPES = {"float32": FLOAT, "int32": INT32, "uint8": UINT8, "string": STRING,
         "int64": INT64}
NUMPY = {FLOAT: np.float32, INT32: np.int32, UINT8: np.uint8, INT64: np.int64}
STRING_BYTES = 24  # sizeof(TF_TString)


class Output(ctypes.Structure):
    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


def load_library(folder):
    for name in ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2"):
        library = ctypes.CDLL(str(Path(folder) / name), ctypes.RTLD_GLOBAL)
    for name in ("TF_NewStatus", "TF_NewGraph", "TF_NewSessionOptions",
                 "TF_LoadSessionFromSavedModel", "TF_GraphOperationByName",
                 "TF_AllocateTensor", "TF_TensorData",
                 "TF_StringGetDataPointer"):
        getattr(library, name).restype = ctypes.c_void_p
    library.TF_Message.restype = ctypes.c_char_p
    for name in ("TF_Dim", "TF_StringGetSize"):
        getattr(library, name).restype = ctypes.c_int64
    getattr(library, "_ZN10tensorflow21DisableXlaCompilationEv")()
    return library


class Session:
    def __init__(self, library, model):
        self.library = library
        self.contract = json.loads((model / "contract.json").read_text())
        self.status = ctypes.c_void_p(library.TF_NewStatus())
        self.graph = ctypes.c_void_p(library.TF_NewGraph())
        tags = (ctypes.c_char_p * 1)(b"serve")
        self.session = ctypes.c_void_p(library.TF_LoadSessionFromSavedModel(
            ctypes.c_void_p(library.TF_NewSessionOptions()), None,
            str(model).encode(), tags, 1, self.graph, None, self.status))
        if library.TF_GetCode(self.status):
            raise RuntimeError(library.TF_Message(self.status).decode())

    def run(self, signature, inputs):
        library = self.library
        described = self.contract["signatures"][signature]
        feeds = [self._output(info) for info in described["inputs"].values()]
        values = [self._tensor(inputs[name], TYPES[info["dtype"]])
                  for name, info in described["inputs"].items()]
        fetches = [self._output(info)
                   for info in described["outputs"].values()]
        results = (ctypes.c_void_p * len(fetches))()
        library.TF_SessionRun(
            self.session, None, (Output * len(feeds))(*feeds),
            (ctypes.c_void_p * len(values))(*values), len(feeds),
            (Output * len(fetches))(*fetches), results, len(fetches), None, 0,
            None, self.status)
        code = library.TF_GetCode(self.status)
        if code:
            return code, library.TF_Message(self.status).decode(), {}
        return 0, "", {name: self._array(ctypes.c_void_p(value))
                       for name, value in zip(described["outputs"], results)}

    def _output(self, info):
        name, _, index = info["tensor"].partition(":")
        operation = self.library.TF_GraphOperationByName(
            self.graph, name.encode())
        assert operation, name
        return Output(operation, int(index))

    def _tensor(self, value, kind):
        value = np.asarray(value, object if kind == STRING else NUMPY[kind])
        size = (STRING_BYTES * value.size if kind == STRING
                else value.nbytes)
        tensor = self.library.TF_AllocateTensor(
            kind, (ctypes.c_int64 * value.ndim)(*value.shape), value.ndim,
            ctypes.c_size_t(size))
        data = self.library.TF_TensorData(ctypes.c_void_p(tensor))
        if kind != STRING:
            ctypes.memmove(data, value.tobytes(), size)
            return tensor
        for i, text in enumerate(value.ravel()):
            place = ctypes.c_void_p(data + STRING_BYTES * i)
            self.library.TF_StringInit(place)
            self.library.TF_StringCopy(
                place, text, ctypes.c_size_t(len(text)))
        return tensor

    def _array(self, tensor):
        library = self.library
        shape = [library.TF_Dim(tensor, i)
                 for i in range(library.TF_NumDims(tensor))]
        kind = library.TF_TensorType(tensor)
        data = library.TF_TensorData(tensor)
        count = int(np.prod(shape))
        if kind != STRING:
            size = count * np.dtype(NUMPY[kind]).itemsize
            return np.frombuffer(
                ctypes.string_at(data, size), NUMPY[kind]).reshape(shape)
        texts = np.empty(count, object)
        for i in range(count):
            place = ctypes.c_void_p(data + STRING_BYTES * i)
            texts[i] = ctypes.string_at(
                library.TF_StringGetDataPointer(place),
                library.TF_StringGetSize(place))
        return texts.reshape(shape)


def main(libraries, model, requests, results):
    session = Session(load_library(libraries), Path(model))
    with contextlib.ExitStack() as stack:
        asked = pickle.load(stack.enter_context(open(requests, "rb")))
        answered = [session.run(*one) for one in asked]
    Path(results).write_bytes(pickle.dumps(answered))
    assert "tensorflow" not in sys.modules


if __name__ == "__main__":
    main(*sys.argv[1:])
