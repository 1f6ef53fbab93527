"""What can be on stage, and in which world: the one that is trained on, and a shifted one whose pictures, fonts, photographs,
sizes and noise it has never seen. The evaluation suite's photographs of the test split appear in the shifted world alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from joyvl_app.evals.render.material import TRAIN

Kind = Literal["train", "heldout", "shifted"]

# What can be asked for, and the drawings of it (assets/train/pictures).
THINGS: dict[str, tuple[str, ...]] = {
    "person": ("man", "woman", "boy", "girl"),
    "cat": ("cat_face", "cat"),
    "dog": ("dog_face", "dog"),
    "bird": ("bird", "eagle", "parrot"),
    "fish": ("fish", "tropical_fish"),
    "horse": ("horse", "horse_face"),
    "car": ("automobile", "oncoming_automobile", "sport_utility_vehicle"),
    "bus": ("bus", "oncoming_bus"),
    "bicycle": ("bicycle",),
    "cup": ("hot_beverage",),
    "book": ("open_book", "closed_book", "green_book"),
    "flower": ("sunflower", "tulip", "rose", "hibiscus"),
    "tree": ("evergreen_tree", "deciduous_tree", "palm_tree"),
    "fire": ("fire",),
    "ball": ("soccer_ball", "basketball"),
    "umbrella": ("umbrella", "closed_umbrella"),
}
CLASSES = tuple(THINGS)

# Other drawings of them, which only a varied world has.
MORE: dict[str, tuple[str, ...]] = {
    "person": (
        "old_man", "old_woman", "older_person", "person", "child", "baby", "man_walking", "woman_walking", "person_walking",
    ),
    "cat": ("black_cat", "grinning_cat", "pouting_cat", "kissing_cat"),
    "dog": ("poodle", "guide_dog", "service_dog"),
    "bird": ("dove", "duck", "owl", "swan", "flamingo", "rooster", "peacock", "penguin"),
    "fish": ("shark", "blowfish"),
    "horse": ("carousel_horse",),
    "car": ("taxi", "oncoming_taxi", "police_car", "racing_car"),
    "bus": ("trolleybus", "minibus"),
    "cup": ("teacup_without_handle",),
    "book": ("blue_book", "orange_book", "notebook", "notebook_with_decorative_cover", "books"),
    "flower": ("blossom", "cherry_blossom", "bouquet"),
    "tree": ("christmas_tree",),
    "ball": ("volleyball", "baseball"),
    "umbrella": ("umbrella_with_rain_drops", "umbrella_on_ground"),
}  # fmt: skip

# Never asked for and never named.
STRANGERS = (
    "banana", "red_apple", "alarm_clock", "key", "guitar", "pizza", "airplane", "rabbit", "house", "wrapped_gift", "balloon",
    "bell", "cherries", "grapes", "watermelon", "hamburger", "doughnut", "birthday_cake", "candy", "cookie", "lemon", "anchor",
    "envelope", "telephone", "light_bulb", "scissors", "hammer", "gem_stone", "trophy", "top_hat", "glasses", "t_shirt", "dress",
    "running_shoe", "backpack", "handbag", "star", "cloud", "snowflake", "ghost", "alien", "skull", "pig_face", "cow_face",
    "frog", "monkey_face", "panda", "elephant", "turtle", "butterfly", "octopus", "hourglass_done", "television", "laptop",
    "candle", "trumpet", "violin", "drum", "toilet", "bathtub", "door", "tent",
)  # fmt: skip
OTHER_STRANGERS = ("crown", "locomotive", "sailboat", "snail", "cactus", "mushroom", "bread", "camera")


@dataclass(frozen=True)
class World:
    """Where episodes play. `number` keeps the seeds of different worlds apart; sizes are fractions of the picture's height. In a
    `varied` world every thing looks as yet other hands might have drawn it, before more kinds of backdrops.
    """

    number: int
    sets: tuple[str, ...]
    strangers: tuple[str, ...]
    split: Literal["dev", "test"]
    backdrops: tuple[str, ...]
    fonts: tuple[str | None, ...]
    sizes: tuple[float, float]
    noise: tuple[float, float]
    hue: int
    varied: bool = False  # it has more drawings, too

    def drawings(self, thing: str) -> list[str]:
        """All drawings of a thing, or of a stranger, as "set/name"."""
        more = MORE.get(thing, ()) if self.varied else ()
        return list(_drawings(self.sets, THINGS.get(thing, (thing,)) + more))


@cache
def _drawings(sets: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    """Not every set draws everything."""
    paths = (f"{folder}/{name}" for folder in sets for name in names)
    return tuple(path for path in paths if (TRAIN / "pictures" / f"{path}.webp").is_file())


_HELDOUT = World(
    2,
    sets=("noto", "noto1", "twemoji", "emojione", "fx", "streamline"),
    strangers=STRANGERS,
    split="dev",
    backdrops=("mountain", "rocket", "tomatoes"),
    fonts=(None, "sans", "serif", "mono"),
    sizes=(0.38, 0.85),
    noise=(0.0, 8.0),
    hue=20,
)
WORLDS: dict[Kind, World] = {
    "train": replace(_HELDOUT, number=1, sets=(*_HELDOUT.sets, "openmoji", "emojione1"), varied=True),
    "heldout": _HELDOUT,
    "shifted": World(
        3,
        sets=("fluent", "flat"),
        strangers=OTHER_STRANGERS,
        split="test",
        backdrops=("alley", "pagoda", "plane"),
        fonts=(None, "slab", "round"),
        sizes=(0.45, 1.0),
        noise=(6.0, 14.0),
        hue=0,
    ),
}
