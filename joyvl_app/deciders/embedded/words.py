"""Words for what the eyes can see: synonyms in English and Chinese → labels, and labels → words in either language."""

from __future__ import annotations

import re
from dataclasses import dataclass

from joyvl_app.perception.coco import COCO

_CHINESE = re.compile(r"[一-鿿]")

# label → (Chinese word, English synonyms, Chinese synonyms); plurals are understood by themselves
_TABLE: dict[str, tuple[str, str, str]] = {
    "person": (
        "人",
        "someone somebody anyone anybody people human man woman men women guy lady boy girl child children kid baby adult "
        "customer visitor guest intruder stranger pedestrian passer-by host presenter speaker worker employee student "
        "teacher shopper burglar thief neighbour neighbor courier postman driver they he she me myself",
        "有人 人员 顾客 客人 访客 来客 陌生人 行人 路人 小孩 孩子 男人 女人 老人 主播 老师 学生 小偷 快递员 员工 人影 谁",
    ),
    "flame": ("火焰", "fire flames blaze burning burns", "火 着火 起火 火苗 明火 失火"),
    "motion": ("动静", "movement anything moves something moves any motion", "动静 有东西动 移动 活动"),
    "picture of a person": ("人像", "", ""),
    "face": ("脸", "faces", "人脸 面孔"),
    "bicycle": ("自行车", "bike cycle", "单车"),
    "car": ("汽车", "automobile sedan taxi", "车 轿车 小车 车辆"),
    "motorcycle": ("摩托车", "motorbike scooter", "摩托 电动车"),
    "airplane": ("飞机", "plane aircraft", ""),
    "bus": ("公交车", "coach", "巴士 大巴 公共汽车"),
    "train": ("火车", "tram", "列车"),
    "truck": ("卡车", "lorry van", "货车"),
    "boat": ("船", "ship", "小船"),
    "traffic light": ("红绿灯", "", "交通灯"),
    "bench": ("长椅", "", ""),
    "bird": ("鸟", "pigeon crow", "小鸟 鸽子"),
    "cat": ("猫", "kitten kitty", "小猫 猫咪"),
    "dog": ("狗", "puppy", "小狗 狗狗"),
    "horse": ("马", "pony", ""),
    "sheep": ("羊", "lamb", ""),
    "cow": ("牛", "cattle", ""),
    "backpack": ("背包", "rucksack", "书包 双肩包"),
    "umbrella": ("雨伞", "", "伞"),
    "handbag": ("手提包", "bag purse", "包 手袋"),
    "suitcase": ("行李箱", "luggage", "箱子"),
    "sports ball": ("球", "ball football basketball", "足球 篮球"),
    "bottle": ("瓶子", "flask", "水瓶 保温杯"),
    "wine glass": ("酒杯", "", ""),
    "cup": ("杯子", "mug", "茶杯 咖啡杯 水杯"),
    "fork": ("叉子", "", ""),
    "knife": ("刀", "blade", "刀子 菜刀"),
    "spoon": ("勺子", "", "汤匙"),
    "bowl": ("碗", "", ""),
    "banana": ("香蕉", "", ""),
    "apple": ("苹果", "", ""),
    "sandwich": ("三明治", "", ""),
    "orange": ("橙子", "", "橘子"),
    "pizza": ("披萨", "", "比萨"),
    "cake": ("蛋糕", "", ""),
    "chair": ("椅子", "", ""),
    "couch": ("沙发", "sofa", ""),
    "potted plant": ("盆栽", "plant", "植物 花盆"),
    "bed": ("床", "", ""),
    "dining table": ("餐桌", "table desk", "桌子"),
    "toilet": ("马桶", "", ""),
    "tv": ("电视", "television", "显示器"),
    "laptop": ("笔记本电脑", "notebook computer", "电脑 笔记本"),
    "mouse": ("鼠标", "", ""),
    "remote": ("遥控器", "remote control", ""),
    "keyboard": ("键盘", "", ""),
    "cell phone": ("手机", "phone mobile smartphone", "电话"),
    "microwave": ("微波炉", "", ""),
    "oven": ("烤箱", "stove", ""),
    "refrigerator": ("冰箱", "fridge", ""),
    "book": ("书", "", "书本"),
    "clock": ("钟", "", "时钟"),
    "vase": ("花瓶", "", ""),
    "scissors": ("剪刀", "", ""),
    "teddy bear": ("泰迪熊", "teddy", "玩具熊"),
}
_GROUPS: dict[str, tuple[str, ...]] = {
    "vehicle": ("car", "truck", "bus", "motorcycle"),
    "animal": ("cat", "dog", "bird", "horse", "sheep", "cow", "bear"),
    "pet": ("cat", "dog"),
    "fruit": ("apple", "orange", "banana"),
    "动物": ("cat", "dog", "bird", "horse", "sheep", "cow", "bear"),
    "宠物": ("cat", "dog"),
    "机动车": ("car", "truck", "bus", "motorcycle"),
    "水果": ("apple", "orange", "banana"),
}
_IRREGULAR = {
    "person": "people",
    "picture of a person": "pictures of people",
    "sheep": "sheep",
    "scissors": "scissors",
    "knife": "knives",
    "mouse": "mice",
}
_NOT_THINGS = re.compile(
    "马上|立马|马路|火锅|火箭|火腿|火力|火星|分钟|钟头|点钟|钟后|包裹|包括|包含|红包|面包|书包店|人民币|人工|人类|机器人|"
    "狗粮|猫粮|牛奶|牛肉|羊肉|车站|车票|书记|球员|苹果(?=手机|电脑)|动静态|谁(?=的)"
)
_PLACE = re.compile("(?:上面?|里面?|旁边?|边上|前面?|后面|门口)(?:出现|有|来)了?")
VEHICLES = frozenset({"car", "truck", "bus"})  # the detector often takes one for the other


@dataclass(frozen=True)
class Target:
    """What a rule looks for: any of `labels`, called `name` (a label, or the user's word for a group)."""

    labels: tuple[str, ...]
    name: str


def is_chinese(text: str) -> bool:
    return bool(_CHINESE.search(text))


def _synonyms() -> tuple[dict[str, Target], dict[str, Target]]:
    english: dict[str, Target] = {}
    chinese: dict[str, Target] = {}
    for label in (*COCO, *(label for label in _TABLE if label not in COCO)):
        target = Target((label,), label)
        word, others, zh_others = _TABLE.get(label, ("", "", ""))
        for name in (label, *_phrases(label, others)):
            english[name] = english[plural(name)] = target
        chinese.update(dict.fromkeys(filter(None, (word, *zh_others.split())), target))
    for name, labels in _GROUPS.items():
        group = Target(labels, name)
        if is_chinese(name):
            chinese[name] = group
        else:
            english[name] = english[plural(name)] = group
    return english, chinese


def _phrases(label: str, others: str) -> list[str]:
    if label == "motion":
        return ["movement", "moves", "anything moves", "something moves"]
    return others.split()


def plural_of(target: Target) -> str:
    """What is counted, in the plural: "people", "flames"."""
    return "movement" if target.name == "motion" else plural(target.name)


def plural(name: str) -> str:
    """The English plural of a label or synonym."""
    if name in _IRREGULAR:
        return _IRREGULAR[name]
    if name.endswith(("people", "men", "children", "flames", "fires", "someone", "somebody", "anyone", "anybody")):
        return name
    if name.endswith(("s", "ch", "sh", "x")):
        return name + "es"
    return name[:-1] + "ies" if name.endswith("y") and name[-2] not in "aeiou" else name + "s"


_ENGLISH, _CHINESE_WORDS = _synonyms()
_ENGLISH_PATTERN = re.compile(r"\b(" + "|".join(sorted(map(re.escape, _ENGLISH), key=len, reverse=True)) + r")\b", re.I)
_CHINESE_PATTERN = re.compile("|".join(sorted(map(re.escape, _CHINESE_WORDS), key=len, reverse=True)))


def _in_chinese(text: str) -> re.Match[str] | None:
    """The thing that "is there" in "床上有人" is the person; words that only contain a thing's sign are passed over."""
    bare = _NOT_THINGS.sub(lambda found: "_" * len(found.group()), text)
    place = _PLACE.search(bare)
    return (_CHINESE_PATTERN.search(bare, place.end()) if place else None) or _CHINESE_PATTERN.search(bare)


def find_target(text: str) -> tuple[Target, int, int] | None:
    """The first thing named in `text` that the eyes can see, with where its word starts and ends."""
    if is_chinese(text) and (found := _in_chinese(text)):
        return _CHINESE_WORDS[found.group()], found.start(), found.end()
    for found in _ENGLISH_PATTERN.finditer(text):
        if found.group().lower() not in ("me", "myself") or re.search(r"\b(if|when|whenever)\s+$", text[: found.start()]):
            return _ENGLISH[found.group().lower()], found.start(), found.end()
    return None


def named(target: Target, count: int, chinese: bool) -> str:
    """ "a person", "3 people"; "人" and "3 个人"."""
    if chinese:
        word = _TABLE.get(target.name, (target.name, "", ""))[0] or target.name
        return word if count < 2 else f"{count}个{word}"
    if target.name in ("flame", "motion"):
        return f"no {target.name}" if count == 0 else {"flame": "a flame", "motion": "movement"}[target.name]
    if count == 1:
        article = "an" if target.name[0] in "aeiou" else "a"
        return f"{article} {target.name}"
    return f"{'no' if count == 0 else count} {plural(target.name)}"


def numbered(target: Target, count: int, chinese: bool) -> str:
    """Like `named`, but one is said as a number: "1 person"; "1个人"."""
    if count != 1:
        return named(target, count, chinese)
    return f"1个{named(target, 1, True)}" if chinese else f"1 {target.name}"
