"""The embedded decider's sentences, in English and Chinese. `{…}` are filled by the rules."""

from __future__ import annotations

_PHRASES: dict[str, tuple[str, str]] = {
    "appeared": ("I see {what}.", "看到{what}了。"),
    "came": ("Someone came in.", "有人来了。"),
    "several_came": ("I see {count} people.", "看到 {count} 个人。"),
    "another": ("Another {one} appeared; that makes {count}.", "又出现了一个{one}，现在有 {count} 个。"),
    "another_person": ("Someone else came in; that makes {count}.", "又来了一个人，现在有 {count} 个人。"),
    "fire": ("Careful, I see fire!", "注意，我看到火了！"),
    "moved": ("Something is moving.", "有东西在动。"),
    "left": ("The {one} is gone.", "{one}不见了。"),
    "person_left": ("Nobody is there any more.", "人都离开了。"),
    "one_left": ("One {one} left; {count} still there.", "有一个{one}离开了，还剩 {count} 个。"),
    "count": ("I count {what} now.", "现在有 {what}。"),
    "count_none": ("There are {what} now.", "现在没有{one}了。"),
    "says": ("It says: {text}", "上面写着：{text}"),
    "spotted": ("“{text}” is on screen now.", "屏幕上出现了“{text}”。"),
    "price": ("The price is {price}.", "价格是 {price}。"),
    "price_of": ("{name}: {price}.", "{name}:{price}。"),
    "slide": ("New slide: {title}.", "新的一页：{title}。"),
    "scene": ("The scene changed. {seen}", "场景变了。{seen}"),
    "hello": ("Hello! Nice to see you.", "你好！很高兴见到你。"),
    "welcome_back": ("Welcome back!", "欢迎回来！"),
    "happy": ("I see a smile.", "看到笑容了。"),
    "surprise": ("That is a surprised face.", "看起来很惊讶。"),
    "reminder": ("Reminder: {text}.", "提醒：{text}。"),
    "time_up": ("Time is up.", "时间到了。"),
    "report": ("{seen}", "{seen}"),
    "see": ("I see {things}.", "我看到{things}。"),
    "see_text": ("The screen says: {text}", "屏幕上写着：{text}"),
    "see_nothing": ("I see nothing that I know by name.", "没有看到我认识的东西。"),
    "blind": ("I have no picture at the moment.", "现在没有画面。"),
    "no_text": ("I can read no text at the moment.", "现在没有可读的文字。"),
    "yes_there": ("Yes, I see {what}.", "有，我看到{what}。"),
    "none_there": ("No, I see {what}.", "没有看到{what}。"),
    "see_none": ("I see {what}.", "没有看到{what}。"),
    "no_price": ("I can read no price at the moment.", "现在没有可读的价格。"),
    "stays": ("{What} has been there for {ago}.", "{what}已经在这里{ago}了。"),
    "welcome": ("You are welcome.", "不客气。"),
    "no_smile": ("I see a face, but no smile.", "看到一张脸，但没有笑容。"),
    "no_face": ("I see no face at the moment.", "现在没有看到脸。"),
    "where": ("{What} is {place}.", "{what}在{place}。"),
    "now": ("{What} is there right now.", "{what}现在就在画面里。"),
    "ago": ("I last saw {what} {ago} ago.", "上次看到{what}是{ago}前。"),
    "never": ("I have not seen {what} since I began watching.", "从开始看到现在，没有看到过{what}。"),
    "watching_for": ("I have been watching for {ago}.", "我已经看了{ago}。"),
    "thinking": ("Let me look into that.", "我去查一下。"),
    "cannot_unknown": (
        "I did not understand “{clause}”. I can watch for things, count, read, greet, and keep time.",
        "我没听懂“{clause}”。我能看人和物、计数、读文字、打招呼和计时。",
    ),
    "cannot_expression": (
        "I can only tell smiles and surprise from a face, so I cannot do “{clause}”.",
        "表情里我只认得出微笑和惊讶，所以做不到“{clause}”。",
    ),
    "cannot_action": (
        "I can tell who or what comes and goes, but not what they do, so I cannot do “{clause}”.",
        "我能看出谁来谁走，但看不懂动作，所以做不到“{clause}”。",
    ),
    "cannot_negative": (
        "To end something, take it out of what I watch for, or say stop; I left “{clause}” aside.",
        "要停掉某件事，请从指示里删去，或说“停”；我没有照做“{clause}”。",
    ),
    "cannot_thing": (
        "I do not know what that looks like, so I cannot do “{clause}”.",
        "我不认识那是什么样子，所以做不到“{clause}”。",
    ),
}
_PLACES = {
    "en": (("top left", "at the top", "top right"), ("on the left", "in the middle", "on the right"),
           ("bottom left", "at the bottom", "bottom right")),
    "zh": (("左上方", "上方", "右上方"), ("左边", "中间", "右边"), ("左下方", "下方", "右下方")),
}  # fmt: skip


def phrase(key: str, zh: bool, **values: object) -> str:
    """One sentence, in Chinese when `zh`."""
    return _PHRASES[key][zh].format(**values)


def place(x: float, y: float, zh: bool) -> str:
    """Where in the picture a point lies, in words."""
    words = _PLACES["zh" if zh else "en"][min(2, int(y * 3))][min(2, int(x * 3))]
    return words if zh or " " in words[:3] or words.startswith(("on", "in", "at")) else f"at the {words}"


def lasting(seconds: float, zh: bool) -> str:
    """A duration as people say it."""
    whole = max(1, round(seconds))
    amount, unit, zh_unit = (whole, "second", "秒") if whole < 90 else (round(whole / 60), "minute", "分钟")
    if whole >= 5_400:
        amount, unit, zh_unit = round(whole / 3_600), "hour", "小时"
    return f"{amount} {zh_unit}" if zh else f"{amount} {unit}{'' if amount == 1 else 's'}"


def shortened(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def capital(text: str) -> str:
    """With a capital first."""
    return text[:1].upper() + text[1:]


def sentences(texts: list[str]) -> str:
    """Sentences in a row; Chinese needs no space between them."""
    return "".join(texts) if all("一" <= text[-2:-1] <= "鿿" for text in texts) else " ".join(texts)


def listed(items: list[str], zh: bool) -> str:
    """ "a, b and c"; "a、b"."""
    if zh:
        return "、".join(items)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
