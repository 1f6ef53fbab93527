"""The training renderer's further fonts, cut down to capital letters and figures. Sources and licences: ../README.md.

apt-get install fonts-open-sans fonts-dejavu fonts-roboto-slab fonts-comfortaa; pip install fonttools; python fonts.py
"""

from __future__ import annotations

from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

OUT = Path(__file__).resolve().parent.parent / "fonts"
SYSTEM = Path("/usr/share/fonts")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .:-!?"
SOURCES = {
    "sans": "truetype/open-sans/OpenSans-ExtraBold.ttf",
    "serif": "truetype/dejavu/DejaVuSerif-Bold.ttf",
    "mono": "truetype/dejavu/DejaVuSansMono-Bold.ttf",
    "slab": "opentype/roboto/slab/RobotoSlab-Bold.otf",
    "round": "truetype/comfortaa/Comfortaa-Bold.ttf",
}


def cut(source: Path, target: Path) -> None:
    font = TTFont(source)
    cutter = subset.Subsetter(subset.Options(hinting=False, layout_features=[], name_IDs=[0, 1, 2, 13, 14]))
    cutter.populate(text=LETTERS)
    cutter.subset(font)
    for record in (1, 3, 4, 6, 16):  # a changed font may not bear a reserved name
        font["name"].removeNames(nameID=record)
    for record, name in ((1, "Train Sans"), (2, "Bold"), (4, "Train Sans"), (6, "TrainSans")):
        font["name"].setName(name, record, 3, 1, 0x409)
    target.parent.mkdir(parents=True, exist_ok=True)
    font.save(target)
    print(f"{target.name}: {target.stat().st_size / 1e3:.0f} kB")


for name, path in SOURCES.items():
    cut(SYSTEM / path, OUT / f"{name}.ttf")
