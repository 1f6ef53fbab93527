"""Small checkpoints of other kinds than the flagship's, made on the spot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText

from joyvl_app.bench.tiny import tiny_tokenizer, write_tiny, write_tiny_llava

_NO_END = (
    "{% for m in messages %}{{ m.role.upper() }}: {% if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}"
    "{% if c.type == 'image' %}<image>{% else %}{{ c.text }} {% endif %}{% endfor %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT: {% endif %}"
)  # as of old models: nothing tells where a reply ends


def write_llava_without_ends(folder: Path) -> Path:
    write_tiny_llava(folder)
    (folder / "chat_template.jinja").write_text(_NO_END)
    return folder


def write_llava_of_little_room(folder: Path) -> Path:
    return write_tiny_llava(folder, context=745)


def write_llava_with_window(folder: Path) -> Path:
    """Its tokens see 24 back: rows cannot share a pack."""
    return write_tiny_llava(folder, window=24)


def write_experts(folder: Path) -> Path:
    """The Qwen3-VL kind with experts."""
    from transformers import Qwen3VLMoeConfig, Qwen3VLMoeForConditionalGeneration

    config = json.loads((write_tiny(folder, actions=False) / "config.json").read_text())
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "model_type": "qwen3_vl_moe_text"}
    tokens = {name: value for name, value in config.items() if name.endswith("_token_id")}
    vision = config["vision_config"] | {"model_type": "qwen3_vl_moe_vision"}
    made = Qwen3VLMoeConfig(text_config=config["text_config"] | experts, vision_config=vision, **tokens)
    Qwen3VLMoeForConditionalGeneration(made).save_pretrained(folder)
    return folder


def write_grids(folder: Path) -> Path:
    """A kind with positions of its own, on three axes, which is not fed by hand."""
    import transformers
    from transformers import PaddleOCRVLConfig, PaddleOCRVLForConditionalGeneration

    library: Any = transformers  # parts of it are untyped
    plain = tiny_tokenizer(actions=False)
    tokenizer = library.PreTrainedTokenizerFast(
        tokenizer_object=plain._tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>",
        extra_special_tokens={"image_token": "<|image_pad|>"},
    )  # fmt: skip
    token = tokenizer.convert_tokens_to_ids
    config = PaddleOCRVLConfig(
        text_config={
            "vocab_size": len(tokenizer), "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "head_dim": 12,
            "num_attention_heads": 4, "max_position_embeddings": 8_192, "pad_token_id": 0, "bos_token_id": None,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [2, 2, 2]},
        },
        vision_config={
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 56,
        },
        image_token_id=token("<|image_pad|>"), video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"), vision_end_token_id=token("<|vision_end|>"),
    )  # fmt: skip
    PaddleOCRVLForConditionalGeneration(config).save_pretrained(folder)
    pictures = library.PaddleOCRVLImageProcessorPil(size={"shortest_edge": 28 * 28, "longest_edge": 512 * 512})
    library.PaddleOCRVLProcessor(pictures, tokenizer, chat_template=plain.chat_template).save_pretrained(folder)
    return folder


def write_batched(folder: Path) -> Path:
    """A kind that takes all pictures of a row as one batch."""
    import transformers
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration

    library: Any = transformers  # parts of it are untyped
    tokenizer = tiny_tokenizer(actions=False, image="<image>")
    tokenizer.add_tokens(["<fake_token_around_image>", "<global-img>", "<end_of_utterance>"], special_tokens=True)
    text = {
        "model_type": "llama", "vocab_size": len(tokenizer), "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 8_192, "pad_token_id": 0,
    }  # fmt: skip
    vision = {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 64,
        "patch_size": 8,
    }  # fmt: skip
    image = tokenizer.convert_tokens_to_ids("<image>")
    model = Idefics3ForConditionalGeneration(
        Idefics3Config(text_config=text, vision_config=vision, scale_factor=2, image_token_id=image)
    )
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    size = {"longest_edge": 64}
    pictures = library.Idefics3ImageProcessorPil(size=size, max_image_size=size)
    processor = library.Idefics3Processor(pictures, tokenizer, image_seq_len=16, chat_template=tokenizer.chat_template)
    processor.save_pretrained(folder)
    return folder


def made_loud(folder: Path) -> Path:
    """Larger weights: what a fresh model says hardly depends on what it sees, or where."""
    model: Any = AutoModelForImageTextToText.from_pretrained(folder)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(6.0 if weight.ndim >= 2 else 1.0)
    model.save_pretrained(folder)
    return folder


def write_recurrent(folder: Path) -> Path:
    """A LLaVA whose language model carries a state on from token to token."""
    from transformers import Lfm2Config, LlavaConfig, LlavaForConditionalGeneration

    torch.manual_seed(1)
    config: Any = LlavaConfig.from_pretrained(write_tiny_llava(folder))
    config.text_config = Lfm2Config(
        vocab_size=config.text_config.vocab_size, hidden_size=48, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, layer_types=["conv", "full_attention"], max_position_embeddings=8_192,
        block_multiple_of=8,
    )  # fmt: skip
    model = LlavaForConditionalGeneration(config)
    model.generation_config.eos_token_id = tiny_tokenizer(actions=False, image="<image>").eos_token_id
    model.save_pretrained(folder)
    return folder


WRITERS: dict[str, Callable[[Path], Path]] = {
    "llava": write_tiny_llava, "no end": write_llava_without_ends, "window": write_llava_with_window,
    "experts": write_experts, "grids": write_grids, "batched": write_batched, "little room": write_llava_of_little_room,
    "recurrent": write_recurrent,
}  # fmt: skip
