"""Common colours of materials, as a start for hints.

The sRGB colours were chosen by eye from photographs of each material in
daylight.  A hint uses their hue and chroma, not their lightness.  The texts of
the page name them.
"""

SWATCHES = {
    "skin": {
        "porcelain": "#ecc9b4", "fair": "#dda98c", "olive": "#c48f68",
        "tan": "#a86f4b", "brown": "#83502f", "deep": "#59341f"},
    "hair": {
        "blond": "#c6a468", "auburn": "#7e4527", "chestnut": "#5b3a22",
        "black_brown": "#30241d", "grey_hair": "#8f8b86"},
    "fabric": {
        "navy": "#2b3a63", "sky_blue": "#6f9ec9", "khaki": "#8d8055",
        "olive_drab": "#5c5a35", "crimson": "#9c2431", "rose": "#c9788a",
        "bottle_green": "#25513c", "mustard": "#c39a2f",
        "cream": "#e2d6b5", "violet": "#6c4a83"},
    "foliage": {
        "grass": "#6f8a3a", "leaf": "#4f7336", "conifer": "#38523a",
        "straw": "#b49f63", "autumn": "#b0602a"},
    "sky": {
        "clear": "#7fa9d6", "deep_sky": "#4577b5", "haze": "#b9c8d6",
        "dusk": "#d99a7c", "water": "#557f8f"},
    "wood": {
        "pine": "#c69c64", "oak": "#9c7142", "walnut": "#60422a",
        "weathered": "#8d8378"},
    "brick": {
        "red_brick": "#94513b", "terracotta": "#b8704d", "sandstone": "#c4a97c",
        "slate": "#62686f"},
    "metal": {
        "steel": "#8a9096", "brass": "#b2924a", "copper": "#a8643f",
        "rust": "#80432a", "gold": "#c9a23f"},
}
