"""Signatures of the exported model: `python docs/tools/contract.py VERSION`.

The command writes the part of the contract that is the same in every export of
the shipped weights to `signatures.json`.  The build makes a page of this file,
and a test compares it with an export.
"""

import json
import sys
from pathlib import Path

KEPT = Path(__file__).parent / "signatures.json"
SAID = {
    "serving_default": "Encoded pictures in, encoded colourings out, with the "
    "default seed and temperature.",
    "colorize": "The same, with a seed and a temperature for each picture.",
    "colorize_n": "The same, with the number of results; one seed and one "
    "temperature for all pictures.",
    "colorize_hinted": "The same, steered by hints, saturation and warmth. A "
    "hint is x, y, red, green and blue: a pixel from the top left corner, and "
    "the sRGB colour there, 0 to 255, all whole numbers. A photograph with "
    "fewer hints than another has rows of five NaN. `hint_distance` is the "
    "distance of each result to each hint. `hint_distance_before` is the "
    "distance of the first result without hints. Both are in ab units, and NaN "
    "for rows of NaN.",
    "colorize_pixels": "Pixels in, pixels out, for programs that hold "
    "pictures. All pictures of a call have one size.",
    "colorize_tensor": "Luminance in, colour fields out.",
    "prior": "Luminance in, the parameters of the mixture P(z | grey) out.",
    "decode": "Luminance and latents in, colour fields out.",
}


def of(contract):
    """The part of a contract that all exports of the same networks share."""
    kept = {name: contract[name] for name in (
        "canvas", "luminance_size", "latent_dim", "num_samples",
        "max_samples", "max_results", "max_pixels")}
    kept["signatures"] = {
        name: {side: {tensor: {"dtype": info["dtype"], "shape": info["shape"]}
                      for tensor, info in signature[side].items()}
               for side in ("inputs", "outputs")}
        for name, signature in contract["signatures"].items()}
    return kept


def page():
    """Markdown: a table for each signature, in `SAID`'s order."""
    kept = json.loads(KEPT.read_text())
    parts = []
    for name, said in SAID.items():
        signature = kept["signatures"][name]
        rows = ["| | tensor | type | shape |", "|---|---|---|---|"]
        for side in ("inputs", "outputs"):
            for tensor, info in signature[side].items():
                shape = ", ".join(
                    "any" if size is None else str(size)
                    for size in info["shape"])
                rows.append(f"| {side[:-1]} | `{tensor}` | {info['dtype']} | "
                            f"[{shape}] |")
        parts += [f"## {name}", said, "\n".join(rows)]
    return "\n\n".join(parts)


if __name__ == "__main__":
    found = json.loads((Path(sys.argv[1]) / "contract.json").read_text())
    KEPT.write_text(json.dumps(of(found), indent=1) + "\n")
