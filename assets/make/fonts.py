"""The renderers' fonts, cut down. The evaluation's: Latin letters and signs, and the 3,755 common Chinese characters; training's:
capital letters and figures. Sources and licences: ../evals/README.md, ../train/README.md.

apt-get install fonts-dejavu fonts-lato fonts-droid-fallback fonts-noto-cjk fonts-open-sans fonts-roboto-slab fonts-comfortaa
pip install fonttools; python fonts.py
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

ASSETS = Path(__file__).resolve().parent.parent
SYSTEM = Path("/usr/share/fonts")
LATIN = "".join(chr(c) for c in range(32, 127)) + "°±×–—‘’“”•…€£¥"
CHINESE = LATIN + "".join(bytes((r, c)).decode("gb2312", "ignore") for r in range(0xB0, 0xD8) for c in range(0xA1, 0xFF))
CHINESE += "\u3001\u3002\u300a\u300b\u300c\u300d\uff01\uff1f\uff0c\uff1a\uff1b\uff08\uff09\u3010\u3011\uff05"  # full-width signs
FIGURES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .:-!?"
EVALS = {
    "dev/regular": ("truetype/dejavu/DejaVuSans.ttf", LATIN),
    "dev/bold": ("truetype/dejavu/DejaVuSans-Bold.ttf", LATIN),
    "dev/chinese": ("truetype/droid/DroidSansFallbackFull.ttf", CHINESE),
    "test/regular": ("truetype/lato/Lato-Regular.ttf", LATIN),
    "test/bold": ("truetype/lato/Lato-Bold.ttf", LATIN),
    "test/chinese": ("opentype/noto/NotoSansCJK-Regular.ttc", CHINESE),
}


TRAIN = {
    "sans": ("truetype/open-sans/OpenSans-ExtraBold.ttf", FIGURES),
    "serif": ("truetype/dejavu/DejaVuSerif-Bold.ttf", FIGURES),
    "mono": ("truetype/dejavu/DejaVuSansMono-Bold.ttf", FIGURES),
    "slab": ("opentype/roboto/slab/RobotoSlab-Bold.otf", FIGURES),
    "round": ("truetype/comfortaa/Comfortaa-Bold.ttf", FIGURES),
}


@dataclass(frozen=True)
class Kind:
    """Where a renderer's fonts lie, what they are called there, and what of their layout is kept."""

    folder: str
    name: str
    style: str
    features: tuple[str, ...]


def cut(source: Path, letters: str, target: Path, kind: Kind) -> None:
    number = 2 if source.suffix == ".ttc" else -1  # of the collection: Simplified Chinese
    font = TTFont(source, fontNumber=number)
    cutter = subset.Subsetter(subset.Options(hinting=False, layout_features=[*kind.features], name_IDs=[0, 1, 2, 13, 14]))
    cutter.populate(unicodes=[ord(letter) for letter in letters if ord(letter) < 0xE000 or ord(letter) > 0xF8FF])
    cutter.subset(font)
    for record in (1, 3, 4, 6, 16):  # a changed font may not bear a reserved name
        font["name"].removeNames(nameID=record)
    for record, name in ((1, kind.name), (2, kind.style), (4, kind.name), (6, kind.name.replace(" ", ""))):
        font["name"].setName(name, record, 3, 1, 0x409)
    target.parent.mkdir(parents=True, exist_ok=True)
    font.save(target)
    print(f"{target.name}: {target.stat().st_size / 1e3:.0f} kB")


def main() -> None:
    evals, train = Kind("evals", "Eval Sans", "Regular", ("kern",)), Kind("train", "Train Sans", "Bold", ())
    for kind, sources in ((evals, EVALS), (train, TRAIN)):
        for name, (source, letters) in sources.items():
            cut(SYSTEM / source, letters, ASSETS / kind.folder / "fonts" / f"{name}.ttf", kind)


if __name__ == "__main__":
    main()
