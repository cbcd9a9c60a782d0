"""Packaging of tfdivcolor; tool settings are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'__version__ = "(.+)"',
    (HERE / "tfdivcolor" / "__init__.py").read_text()).group(1)

TRAIN = ["scikit-learn>=1.5,<2", "tensorboard>=2.20,<3"]
DEMO = ["scikit-image>=0.25,<0.27"]
HEIC = ["pillow-heif>=1.0,<2"]
# The page to colour photographs in, its layered files.
STUDIO = ["psd-tools>=1.11,<2", "starlette>=0.46,<2",
          "uvicorn>=0.34,<1"]
# The converter, the format, and the runtime that checks the result.
ONNX = ["onnx>=1.20,<2", "onnxruntime>=1.23,<2", "tf2onnx>=1.17,<1.18"]
SERVING = ["tensorflow-serving-api>=2.21,<2.22", "grpcio>=1.80,<2",
           "aiohttp>=3.11,<4", "urllib3>=2.2,<3",
           "prometheus-client>=0.21,<1"]
# Any release before 3 may change the parts of the runner that serving/bulk/
# uses.
BULK = ["apache-beam>=2.77,<2.78"]
# On Linux, plain `torch` is a build for CUDA of several gigabytes, with or
# without an NVIDIA driver. Any other build works, too.
BENCHMARKS = ["torch>=2.9,<3", *DEMO]
# Equations and diagrams become MathML and SVG in the build.
DOCS = ["mkdocs-material>=9.7,<10", "mkdocstrings[python]>=1.0,<2",
        "latex2mathml>=3.77,<4", "mermaidx>=0.10,<0.11", *DEMO]
MATRIX = ["nox>=2025.2.9", "uv>=0.5"]
LINT = ["import-linter>=2.17,<3", "pyright[nodejs]>=1.1.400,<1.2",
        "ruff>=0.9"]
# Scripts become notebooks, and a test runs these again.
EXAMPLES = ["ipykernel>=6.29,<8", "jupytext>=1.16,<2", "nbclient>=0.10,<1",
            "nbformat>=5.10,<6", *DEMO]
TEST = ["httpx>=0.28,<1", "hypothesis>=6.100,<7", "pytest>=8,<10",
        "pytest-xdist>=3.6,<4", "pyyaml>=6,<7", "sybil>=9,<11",
        "websockets>=14,<18", *LINT, *TRAIN, *DEMO, *EXAMPLES, *HEIC,
        *SERVING, *STUDIO, *ONNX, *DOCS]

setup(
    name="tfdivcolor",
    version=VERSION,
    description="Samples many plausible colourings of one grey photograph",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    # training/ and serving/ are programs, run from a checkout.
    packages=find_packages(include=["tfdivcolor", "tfdivcolor.*"]),
    package_data={"tfdivcolor": ["weights/*/*", "gallery/*.html",
                                 "gallery/*.css", "gallery/*.js",
                                 "studio/page/*", "py.typed"]},
    install_requires=[
        "tensorflow>=2.21,<2.22",
        # [tf] brings the tf-keras that belongs to TensorFlow's version.
        "tensorflow-probability[tf]>=0.25,<0.26",
        "keras>=3.15,<4",
        "h5py>=3.11,<4",
        "numpy>=2.0,<3",
        "matplotlib>=3.9,<4",
        "pillow>=11.3,<14",
        # Depths above 8 bits, with ICC profiles; fast PNG; TIFF pages.
        "imagecodecs>=2024.9.22,<2027",
        "tifffile>=2024.9.20,<2027",
        # Loops over the pixels of large pictures.
        "numba>=0.61,<1",
        "tqdm>=4.66,<5",
        # The user's folders for data and for stored graphs.
        "platformdirs>=4.3,<5",
    ],
    extras_require={
        "train": TRAIN, "demo": DEMO, "bulk": BULK, "heic": HEIC,
        "docs": [*DOCS, *SERVING], "matrix": MATRIX,
        "benchmarks": BENCHMARKS, "serving": SERVING, "studio": STUDIO,
        "onnx": ONNX,
        "examples": EXAMPLES, "test": TEST},
    entry_points={
        "console_scripts": ["tfdivcolor = tfdivcolor.cli:main"]},
)
