"""The training renderer's pictures: the same things as ten sets of emoji draw them. Sources and licences: ../README.md.

npm pack @iconify-json/{noto,noto-v1,twemoji,emojione,emojione-v1,openmoji,fxemoji,streamline-emojis}
npm pack @iconify-json/{fluent-emoji,fluent-emoji-flat}; unpack each to FOLDER/<set>/package
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
    "fx": "fxemoji", "streamline": "streamline-emojis", "openmoji": "openmoji", "emojione1": "emojione-v1",
    "fluent": "fluent-emoji", "flat": "fluent-emoji-flat",
}  # fmt: skip
WANTED = (
    "man", "woman", "boy", "girl", "cat-face", "cat", "dog-face", "dog", "bird", "eagle", "parrot", "fish", "tropical-fish",
    "horse", "horse-face", "automobile", "oncoming-automobile", "sport-utility-vehicle", "bus", "oncoming-bus", "bicycle",
    "hot-beverage", "open-book", "closed-book", "green-book", "sunflower", "tulip", "rose", "hibiscus", "evergreen-tree",
    "deciduous-tree", "palm-tree", "fire", "soccer-ball", "basketball", "umbrella", "closed-umbrella",
    # never asked for
    "banana", "red-apple", "alarm-clock", "key", "guitar", "pizza", "airplane", "rabbit", "house",
    "wrapped-gift", "balloon", "bell", "crown", "locomotive", "sailboat", "snail", "cactus", "mushroom", "bread", "camera",
    "cherries", "grapes", "watermelon", "hamburger", "doughnut", "birthday-cake", "candy", "cookie", "lemon", "anchor",
    "envelope", "telephone", "light-bulb", "scissors", "hammer", "gem-stone", "trophy", "top-hat", "glasses", "t-shirt", "dress",
    "running-shoe", "backpack", "handbag", "star", "cloud", "snowflake", "ghost", "alien", "skull", "pig-face", "cow-face",
    "frog", "monkey-face", "panda", "elephant", "turtle", "butterfly", "octopus", "hourglass-done", "television", "laptop",
    "candle", "trumpet", "violin", "drum", "toilet", "bathtub", "door", "tent",
)  # fmt: skip
# More of what is asked for, in training alone.
MORE = (
    "old-man", "old-woman", "older-person", "person", "child", "baby", "man-walking", "woman-walking", "person-walking",
    "black-cat", "grinning-cat", "pouting-cat", "kissing-cat", "poodle", "guide-dog", "service-dog", "dove", "duck", "owl",
    "swan", "flamingo", "rooster", "peacock", "penguin", "shark", "blowfish", "carousel-horse", "taxi", "oncoming-taxi",
    "police-car", "racing-car", "trolleybus", "minibus", "teacup-without-handle", "blue-book", "orange-book", "notebook",
    "notebook-with-decorative-cover", "books", "blossom", "cherry-blossom", "bouquet", "christmas-tree",
    "volleyball", "baseball", "umbrella-with-rain-drops", "umbrella-on-ground",
)  # fmt: skip
SHIFTED = ("fluent", "flat")
OTHER_STRANGERS = ("crown", "locomotive", "sailboat", "snail", "cactus", "mushroom", "bread", "camera")  # theirs alone
FX = {
    "cat-face": "cat", "cat": "catside", "dog-face": "dog", "dog": "dogside", "evergreen-tree": "evergreen",
    "wrapped-gift": "present", "pizza": "sliceofpizza", "rabbit": "bunny", "house": "housebuilding", "panda": "pandaface",
    "scissors": "blackscissors", "sport-utility-vehicle": "recreationalvehicle",
}  # fmt: skip


def drawing(icons: dict[str, Any], names: tuple[str, ...]) -> str | None:
    """The SVG of the first of `names` that the set has, through at most one alias."""
    found = (icons["icons"].get(icons.get("aliases", {}).get(name, {}).get("parent", name)) for name in names)
    icon = next((icon for icon in found if icon), None)
    if icon is None:
        return None
    width, height = (icon.get(side, icons.get(side, 16)) for side in ("width", "height"))
    head = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'{head} viewBox="0 0 {width} {height}">{icon["body"]}</svg>'


def names_in(short: str, name: str) -> tuple[str, ...]:
    """What a set may call it."""
    if short == "fx":
        return (FX.get(name, name.replace("-", "")),)
    return (name, f"{name}-1") if short == "streamline" else (name,)


def wanted(short: str) -> tuple[str, ...]:
    """What a set is drawn for: the shifted ones for a few strangers only, which the others never show."""
    if short in SHIFTED:
        return WANTED[: WANTED.index("camera") + 1]
    return tuple(name for name in WANTED + MORE if name not in OTHER_STRANGERS)


def main(folder: Path) -> None:
    for short, package in SETS.items():
        icons = json.loads((folder / package / "package" / "icons.json").read_text())
        target = OUT / short
        target.mkdir(parents=True, exist_ok=True)
        absent = []
        for name in wanted(short):
            svg = drawing(icons, names_in(short, name))
            if svg is None:
                absent.append(name)
                continue
            picture = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg, width=SIDE)))).convert("RGBA")
            picture = picture.crop(picture.getchannel("A").point(lambda a: 255 * (a > 16)).getbbox())
            picture.save(target / f"{name.replace('-', '_')}.webp", quality=85, method=6)
        print(short, "without", *absent)


main(Path(sys.argv[1]))
