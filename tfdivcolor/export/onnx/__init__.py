"""The export as an ONNX file: its core, the file, operations it needs."""
