"""Rules about what stands on screen (text, prices, slides) and about time."""

from __future__ import annotations

import re
from collections.abc import Callable

from joyvl_app.deciders.embedded.board import PRICE, Entry, joined
from joyvl_app.deciders.embedded.phrases import phrase, shortened
from joyvl_app.deciders.embedded.rules import Urge
from joyvl_app.deciders.embedded.scene import Scene
from joyvl_app.deciders.embedded.specs import Read, Slides, Spot, Timer
from joyvl_app.deciders.embedded.telling import describe, tell_count, tell_text
from joyvl_app.deciders.embedded.words import is_chinese
from joyvl_app.perception.motion import Grey
from joyvl_app.perception.reader import normal, same_text
from joyvl_app.plain import plain

_FORGET = 6.0  # seconds a text must have been gone before it counts as new again
_SURE = 0.85
_SLIDE_SHARE = 0.02  # share of the picture that must differ for a slide whose words changed
_SCENE_SHARE = 0.25  # and for a scene without words
_DIGITS = re.compile(r"\d+")
_FACES_SECONDS = 30.0
_BRIEF_FACE = 6.0  # seconds after which a face that gives way to another is a text of its own
_MOST_SHAPES = 50
_MOST_READ = 300  # characters read aloud at once


class _Said:
    """Texts that were announced, each forgotten some seconds after it was last on screen."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}

    def fresh(self, texts: list[str], t: float) -> list[str]:
        """Those not announced yet; the announced ones that are still there are kept in mind."""
        new = []
        for text in texts:
            known = next((key for key in self._seen if same_text(key, text)), None)
            if known is None:
                new.append(text)
            else:
                self._seen[known] = t
        self._seen = {key: seen for key, seen in self._seen.items() if t - seen <= _FORGET}
        return new

    def add(self, texts: list[str], t: float) -> Callable[[], None]:
        def commit() -> None:
            self._seen.update(dict.fromkeys(texts, t))

        return commit


class ReadRule:
    """Reads new text aloud, top to bottom, once."""

    def __init__(self, spec: Read) -> None:
        self._spec, self._said, self._tickers = spec, _Said(), _Tickers()

    def urge(self, scene: Scene, t: float) -> Urge | None:
        texts = self._tickers.sift([entry.text for entry in scene.board.visible], t)
        new = self._said.fresh(texts, t)
        if not new:
            return None
        boxes = tuple(entry.line.box for entry in scene.board.visible if entry.text in new)
        text = phrase("says", self._spec.zh, text=shortened(joined(new), _MOST_READ))
        return Urge(_sure(scene, new, t), text, self._said.add(new, t), False, boxes)


class _Tickers:
    """Clocks and counters: the same words with ever other digits. They are not read once a face gave way to another within
    seconds, nor after their third face; a price is never a counter."""

    def __init__(self) -> None:
        self._faces: dict[str, dict[str, float]] = {}  # shape → face → since when
        self._ticking: set[str] = set()

    def sift(self, texts: list[str], t: float) -> list[str]:
        """The texts that do not tick."""
        for text in texts:
            self._note(text, texts, t)
        if len(self._faces) > _MOST_SHAPES:
            self._ticking.discard(oldest := next(iter(self._faces)))
            del self._faces[oldest]
        return [text for text in texts if _shape(text) not in self._ticking]

    def _note(self, text: str, there: list[str], t: float) -> None:
        shape = _shape(text)
        if shape == text or PRICE.search(text):
            return
        faces = self._faces.setdefault(shape, {})
        if text in faces:
            return
        brief = any(face not in there and t - since < _BRIEF_FACE for face, since in faces.items())
        self._faces[shape] = faces = {face: since for face, since in faces.items() if t - since <= _FACES_SECONDS} | {text: t}
        if brief or len(faces) > 2:
            self._ticking.add(shape)


def _shape(text: str) -> str:
    return _DIGITS.sub("#", text)


class SpotRule:
    """Announces a wording, or any price, when it appears on screen; a price that changes is a new one."""

    def __init__(self, spec: Spot) -> None:
        self._spec, self._said = spec, _Said()
        self._wording = _whole_words(spec.phrase)

    def urge(self, scene: Scene, t: float) -> Urge | None:
        hits = {hit: entry for entry in scene.board.visible for hit in self._hits(entry.text)}
        new = self._said.fresh(list(hits), t)
        if not new:
            return None
        sentences = [self._sentence(hit, hits[hit], scene) for hit in new]
        sure = _sure(scene, [hits[hit].text for hit in new], t)
        return Urge(sure, " ".join(sentences), self._said.add(new, t), False, tuple(hits[hit].line.box for hit in new))

    def _hits(self, text: str) -> list[str]:
        if not self._spec.phrase:
            return [found.group() for found in PRICE.finditer(text)]
        return [self._spec.phrase] if self._wording.search(text) else []

    def _sentence(self, hit: str, entry: Entry, scene: Scene) -> str:
        if self._spec.phrase:
            return phrase("spotted", self._spec.zh, text=hit)
        name = _name_of(entry, scene.board.entries)
        return phrase("price_of", self._spec.zh, name=name, price=hit) if name else phrase("price", self._spec.zh, price=hit)


class SlideRule:
    """Comments once on each new slide; the same words under a moving pointer are no new slide."""

    def __init__(self, spec: Slides) -> None:
        self._spec = spec
        self._kept: Grey | None = None
        self._words = self._title = ""
        self._rested: float | None = None

    def urge(self, scene: Scene, t: float) -> Urge | None:
        look, board = scene.now, scene.board
        if look is None or scene.motion is None or board.read_t is None:
            return None
        words = joined(entry.text for entry in board.visible)
        share = 1.0 if self._kept is None else scene.motion.differs(look.thumbnail, self._kept)
        if words and share >= _SLIDE_SHARE and not same_text(words, self._words):
            title = board.title()
            read = look.thumbnail if board.thumbnail is None else board.thumbnail  # a newer picture has newer words
            if self._grows(title, words):
                self._commit(read, words)()
                return None
            commit = self._commit(read, words, title)
            boxes = tuple(entry.line.box for entry in board.visible if entry.text == title)
            return Urge(_SURE, phrase("slide", self._spec.zh, title=shortened(title.rstrip(".。"))), commit, False, boxes)
        if self._has_another_scene(scene, share, words):
            seen = describe(scene, self._spec.zh)
            return Urge(0.8, phrase("scene", self._spec.zh, seen=seen), self._commit(look.thumbnail, words))
        return None

    def _has_another_scene(self, scene: Scene, share: float, words: str) -> bool:
        """Much of the picture has changed and come to rest, and its words were read since: they are still the same, or none."""
        look, board = scene.now, scene.board
        assert look is not None and board.read_t is not None
        if share < _SCENE_SHARE or look.change.moving >= 0.02:
            self._rested = None
            return False
        self._rested = look.t if self._rested is None else self._rested
        return board.read_t >= self._rested and (not words or same_text(words, self._words))

    def _grows(self, title: str, words: str) -> bool:
        """Under the same title, lines have come: the slide builds up, it is not another one."""
        return bool(title) and same_text(title, self._title) and len(words) >= len(self._words)

    def _commit(self, thumbnail: Grey, words: str, title: str | None = None) -> Callable[[], None]:
        def commit() -> None:
            self._kept, self._words, self._rested = thumbnail, words, None
            self._title = self._title if title is None else title

        return commit


class TimerRule:
    """Speaks every so many seconds, or once after them, counted from when it was asked for."""

    def __init__(self, spec: Timer, t: float) -> None:
        self._spec = spec
        self._due: float | None = t + spec.seconds

    def urge(self, scene: Scene, t: float) -> Urge | None:
        # The decision falls on whole seconds; half a second early is nearer than half a second late.
        if self._due is None or t < self._due - 0.5:
            return None
        return Urge(1.0, self._sentence(scene), self._commit(t))

    def _commit(self, t: float) -> Callable[[], None]:
        def commit() -> None:
            assert self._due is not None
            passed = max(1, 1 + int((t + 0.5 - self._due) // self._spec.seconds))
            self._due = self._due + passed * self._spec.seconds if self._spec.repeat else None

        return commit

    def _sentence(self, scene: Scene) -> str:
        spec, zh = self._spec, self._spec.zh
        if spec.report == "count" and spec.target:
            return tell_count(scene, spec.target, zh)
        if spec.report == "text":
            return tell_text(scene, zh)
        if spec.report == "scene":
            return describe(scene, zh)
        return phrase("reminder", zh, text=spec.say) if spec.say else phrase("time_up", zh)


def _whole_words(wording: str) -> re.Pattern[str]:
    """The wording as whole words, however it is spaced: SALE is not in WHOLESALE."""
    loose = r"\s*".join(re.escape(part) for part in plain(wording).split())
    edges = ("", "") if is_chinese(wording) else (r"(?<!\w)", r"(?!\w)")
    return re.compile(f"{edges[0]}{loose}{edges[1]}" if loose else r"(?!)", re.I)


def _sure(scene: Scene, texts: list[str], t: float) -> float:
    """The longer a text stands there, the surer: a low sensitivity delays a reading, it does not forbid it."""
    since = min((entry.since for entry in scene.board.visible if entry.text in texts), default=t)
    return 1.0 - (1.0 - _SURE) * float(0.6 ** max(0.0, t - since))


def _name_of(entry: Entry, others: list[Entry]) -> str:
    """What a price belongs to: the rest of its line, or the line just above it."""
    rest = PRICE.sub("", entry.text).strip(" :-–·|")
    if len(normal(rest)) >= 3:
        return rest
    above = [
        other
        for other in others
        if 0 < entry.line.box.y0 - other.line.box.y0 < 0.18
        and abs(entry.line.box.x0 - other.line.box.x0) < 0.15
        and not PRICE.search(other.text)
    ]
    return max(above, key=lambda other: other.line.box.y0).text if above else ""
