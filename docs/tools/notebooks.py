"""Makes the notebooks of examples/ from their scripts, and pages of them.

    python docs/tools/notebooks.py [NAME ...]

runs the scripts in Jupyter and writes NAME.ipynb beside NAME.py, outputs
included.  The script is the source: a test compares the two.
"""

import base64
import io
import re
import sys
from pathlib import Path

import nbformat
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
SECONDS = 1800
# Log of TensorFlow's C++ at its start and about errors, under any settings.
_LOG = re.compile(
    r"^(WARNING: All log messages before absl|[IWE]0{4} |"
    r"To enable the following instructions|\t \[\[\{\{).*\n?", re.M)


def main(names):
    for name in names or NAMES:
        made = executed(name)
        nbformat.write(made, EXAMPLES / f"{name}.ipynb")
        size = (EXAMPLES / f"{name}.ipynb").stat().st_size
        print(f"{name}: {len(made.cells)} cells, {size:,} bytes")


def script(name):
    """The notebook that a script stands for, without outputs."""
    import jupytext

    notebook = jupytext.read(EXAMPLES / f"{name}.py")
    notebook.metadata = {
        "kernelspec": notebook.metadata["kernelspec"],
        "language_info": {"name": "python"}}
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata = {}
    return notebook


def executed(name):
    """Runs a script's notebook in the folder examples/.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell fails.
    """
    from nbclient import NotebookClient

    notebook = script(name)
    NotebookClient(
        notebook, timeout=SECONDS, record_timing=False,
        resources={"metadata": {"path": str(EXAMPLES)}}).execute()
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = list(_cleaned(cell.outputs))
    return notebook


def _cleaned(outputs):
    """Outputs with small pictures, without TensorFlow's log."""
    for output in outputs:
        if output.output_type == "stream" and output.name == "stderr":
            output.text = _LOG.sub("", output.text)
            if not output.text:
                continue
        picture = output.get("data", {}).pop("image/png", None)
        if picture:
            output.data = {"image/jpeg": _jpeg(picture)}
        yield output


def _jpeg(png):
    """A picture in base64, as JPEG, which takes a fifth of the space."""
    data = io.BytesIO()
    Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB").save(
        data, "JPEG", quality=85)
    return base64.b64encode(data.getvalue()).decode()


def page(name):
    """Markdown of a notebook with its outputs, for the site."""
    notebook = nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source.replace("](../docs/", "](../"))
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/jpeg" in data:
                url = f"data:image/jpeg;base64,{data['image/jpeg'].strip()}"
                parts.append(
                    f'<p><img alt="what the code shows" src="{url}"></p>')
            else:
                text = data.get("text/plain", output.get("text", ""))
                parts.append(f"```text\n{text.rstrip()}\n```")
    return "\n\n".join(parts)


if __name__ == "__main__":
    main(sys.argv[1:])
