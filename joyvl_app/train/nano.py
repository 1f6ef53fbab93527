"""A small Qwen3-VL with a tokenizer of its own, in which every word of the episodes is one token: made on the spot, untrained."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from joyvl_app.deciders.vlm.checkpoint import PROMPT
from joyvl_app.dialect.tokens import DELEGATION, RESPONSE, SILENCE
from joyvl_app.train import wording
from joyvl_app.train.states import write_folder
from joyvl_app.train.worlds import CLASSES

SYSTEM = "Watch and speak when it is time."
_MARKS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
# As short as a template can be: the picture ends a turn of the user's, <|im_start|> begins the model's, <|im_end|> ends it.
_CHAT = (
    "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}"
    "{% if c.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c.text }}{% endif %}{% endfor %}"
    "{% endif %}{% if m.role == 'user' %}<|im_start|>{% else %}<|im_end|>{% endif %}{% endfor %}"
)
_SPLIT = r"<(?=\d)|\.\d seconds>\n|\d{1,2}(?=(?:\d{2})*(?!\d))| ?\p{L}+| ?[^\s\p{L}\d]+|\s"
_REPEAT = 60  # so that every word is merged whole
SIDE = 128  # pixels: pictures keep their shape, and have at most SIDE x SIDE pixels


def nano_tokenizer() -> Any:
    """Bytes, pairs of figures, and the episodes' words."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated")
    inner.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=4_000, min_frequency=_REPEAT, special_tokens=_MARKS, initial_alphabet=alphabet)
    inner.train_from_iterator(_corpus(), trainer)
    fast: Any = PreTrainedTokenizerFast
    tokenizer = fast(tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.add_tokens([SILENCE, RESPONSE, DELEGATION], special_tokens=True)
    tokenizer.chat_template = _CHAT
    return tokenizer


def _corpus() -> Iterable[str]:
    """Every wording with every class, every pair of figures, the dialect's labels and the tenths of a second."""
    from joyvl_app.dialect import history, opening
    from joyvl_app.domain import Turn

    said = [
        text for name, part in vars(wording).items() if name.isupper() for text in ((part,) if isinstance(part, str) else part)
    ]
    lines = [text.format(x=thing, y=thing, n=number) for number, thing in enumerate(CLASSES) for text in said]
    lines += [f" {line}" for line in lines]  # as they follow an action token
    lines += [
        " a ",
        " and ",
        " an ",
        "the number ",
        "A ",
        "An ",
        "The ",
        SYSTEM,
        *(f"{n:02d}" for n in range(100)),
        *map(str, range(10)),
    ]
    lines += [f" {thing}" for thing in CLASSES]
    lines += [opening(history((), (), [Turn("query", 1, "?"), Turn("response", 2, ".")]), "x", t / 10) for t in range(10)]
    return lines * _REPEAT


def write_nano(folder: Path, *, hidden: int = 192, layers: int = 4, vision: int = 160, depth: int = 4, seed: int = 1) -> Path:
    """An untrained checkpoint in `folder`, which it returns: `hidden` x `layers` of language, `vision` x `depth` of seeing.
    Raises BadInput when it cannot be written.
    """
    import torch
    from transformers import Qwen2VLImageProcessorPil, Qwen3VLForConditionalGeneration

    torch.manual_seed(seed)
    tokenizer = nano_tokenizer()
    model = Qwen3VLForConditionalGeneration(_config(tokenizer, hidden, layers, vision, depth))
    size = {"shortest_edge": 64 * 64, "longest_edge": SIDE * SIDE}
    processor = Qwen2VLImageProcessorPil(size=size, patch_size=16, image_mean=[0.5] * 3, image_std=[0.25] * 3)

    def fill(part: Path) -> None:
        for made in (model, tokenizer, processor):
            made.save_pretrained(part)
        (part / PROMPT).write_text(SYSTEM + "\n", encoding="utf-8")

    write_folder(folder, fill)
    return folder


def _config(tokenizer: Any, hidden: int, layers: int, vision: int, depth: int) -> Any:
    from transformers import Qwen3VLConfig

    token, head = tokenizer.convert_tokens_to_ids, 48
    return Qwen3VLConfig(
        text_config={
            "vocab_size": len(tokenizer), "hidden_size": hidden, "intermediate_size": 8 * hidden // 3 // 32 * 32,
            "num_hidden_layers": layers, "num_attention_heads": hidden // head, "num_key_value_heads": hidden // head // 2,
            "head_dim": head, "max_position_embeddings": 16_384, "eos_token_id": tokenizer.eos_token_id,
            "rope_parameters": {"rope_type": "default", "rope_theta": 100_000.0, "mrope_interleaved": True,
                                "mrope_section": [head // 2 - 2 * (head // 6), head // 6, head // 6]},
        },
        vision_config={
            "depth": depth, "hidden_size": vision, "intermediate_size": 3 * vision, "num_heads": vision // 32,
            "out_hidden_size": hidden, "deepstack_visual_indexes": [depth // 2], "num_position_embeddings": 256,
        },
        image_token_id=token("<|image_pad|>"), video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"), vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=True,
    )  # fmt: skip
