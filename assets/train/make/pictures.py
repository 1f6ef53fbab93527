"""The training renderer's pictures: the same things as six sets of emoji draw them. Sources and licences: ../README.md.

npm pack @iconify-json/{noto,noto-v1,twemoji,emojione,fluent-emoji,fluent-emoji-flat}; unpack each to FOLDER/<set>/package;
pip install resvg-py; python pictures.py FOLDER
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import resvg_py
from PIL import Image

OUT = Path(__file__).resolve().parent.parent / "pictures"
SIDE = 128
SETS = {
    "noto": "noto", "noto1": "noto-v1", "twemoji": "twemoji", "emojione": "emojione",
    "fluent": "fluent-emoji", "flat": "fluent-emoji-flat",
}  # fmt: skip
WANTED = (
    "man", "woman", "boy", "girl", "cat-face", "cat", "dog-face", "dog", "bird", "eagle", "parrot", "fish", "tropical-fish",
    "horse", "horse-face", "automobile", "oncoming-automobile", "sport-utility-vehicle", "bus", "oncoming-bus", "bicycle",
    "hot-beverage", "open-book", "closed-book", "green-book", "sunflower", "tulip", "rose", "hibiscus", "evergreen-tree",
    "deciduous-tree", "palm-tree", "fire", "soccer-ball", "basketball", "umbrella", "closed-umbrella",
    # never asked for
    "banana", "red-apple", "alarm-clock", "key", "guitar", "pizza", "airplane", "rabbit", "chair", "house",
    "wrapped-gift", "balloon", "bell", "crown", "locomotive", "sailboat", "snail", "cactus", "mushroom", "bread", "camera",
)  # fmt: skip


def drawing(icons: dict[str, Any], name: str) -> str | None:
    """The SVG of an icon, through at most one alias."""
    name = icons.get("aliases", {}).get(name, {}).get("parent", name)
    icon = icons["icons"].get(name)
    if icon is None:
        return None
    width, height = (icon.get(side, icons.get(side, 16)) for side in ("width", "height"))
    head = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'{head} viewBox="0 0 {width} {height}">{icon["body"]}</svg>'


def main(folder: Path) -> None:
    for short, package in SETS.items():
        icons = json.loads((folder / package / "package" / "icons.json").read_text())
        target = OUT / short
        target.mkdir(parents=True, exist_ok=True)
        absent = []
        for name in WANTED:
            svg = drawing(icons, name)
            if svg is None:
                absent.append(name)
                continue
            picture = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg, width=SIDE)))).convert("RGBA")
            picture = picture.crop(picture.getchannel("A").point(lambda a: 255 * (a > 16)).getbbox())
            picture.save(target / f"{name.replace('-', '_')}.webp", quality=85, method=6)
        print(short, "without", *absent)


main(Path(sys.argv[1]))
