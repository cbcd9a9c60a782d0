"""Markdown table of the shipped weights, from their own descriptions."""

import json
from pathlib import Path

WEIGHTS = Path(__file__).parents[2] / "tfdivcolor" / "weights"
PURPOSES = {
    "photos": "photographs of every kind; the default",
    "lfw": "faces",
    "flowers": "five kinds of flower",
}


def table():
    rows = ["| weights | for | preset | pictures | size | SHA-256 |",
            "|---|---|---|---|---|---|"]
    for name, purpose in PURPOSES.items():
        folder = WEIGHTS / name
        described = json.loads((folder / "colorizer.json").read_text())
        about = described.get("about", {})
        size = sum(file.stat().st_size for file in folder.iterdir())
        pictures = about.get("pictures")
        rows.append(
            f"| [{name}]({name}.md) | {purpose} | "
            f"`{about.get('config', {}).get('preset', 'regions')}` | "
            f"{pictures:,} | {size / 1e6:.1f} MB | "
            f"`{described['sha256'][:12]}...` |")
    return "\n".join(rows)
