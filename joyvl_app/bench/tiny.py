"""A tiny checkpoint with random weights, made on the spot: real files for Transformers, a tokenizer trained on our prompts.

It has the flagship's architecture and interface and none of its sense: for tests and for timings that do not depend on meaning.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from joyvl_app.dialect.prompts import system_prompt
from joyvl_app.dialect.tokens import DELEGATION, RESPONSE, SILENCE

_MARKS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
ACTIONS = (SILENCE, RESPONSE, DELEGATION)
_CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for c in m.content %}{% if c.type == 'image' %}IMAGE{% else %}{{ c.text }}{% endif %}{% endfor %}"
    "{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tiny_tokenizer(actions: bool = True, image: str = "<|vision_start|><|image_pad|><|vision_end|>") -> Any:
    """A byte-level tokenizer of about a thousand pieces; with `actions` the action tokens are single ones."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    marks = [*_MARKS, *([image] if image not in _MARKS and "<|vision_start|>" not in image else [])]
    trainer = trainers.BpeTrainer(vocab_size=1_000, special_tokens=marks, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    inner.train_from_iterator([system_prompt("en"), system_prompt("zh")], trainer)
    fast: Any = PreTrainedTokenizerFast
    tokenizer = fast(tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    if actions:
        tokenizer.add_tokens(list(ACTIONS), special_tokens=True)
    tokenizer.chat_template = _CHAT.replace("IMAGE", image)
    return tokenizer


def tiny_config(tokenizer: Any, hidden: int = 64, layers: int = 2, context: int = 131_072, heads: int = 4, head: int = 16) -> Any:
    """Qwen3-VL in miniature: `layers` text layers of `hidden`, two vision layers, one deepstack level."""
    from transformers import Qwen3VLConfig

    token = tokenizer.convert_tokens_to_ids
    return Qwen3VLConfig(
        text_config={
            "vocab_size": len(tokenizer), "hidden_size": hidden, "intermediate_size": 3 * hidden, "num_hidden_layers": layers,
            "num_attention_heads": heads, "num_key_value_heads": heads // 2, "head_dim": head, "max_position_embeddings": context,
            "rope_parameters": {"rope_type": "default", "rope_theta": 5_000_000.0, "mrope_interleaved": True,
                                "mrope_section": [head // 2 - 2 * (head // 6), head // 6, head // 6]},
        },
        vision_config={
            "depth": 2, "hidden_size": 64, "intermediate_size": 128, "num_heads": 4, "out_hidden_size": hidden,
            "deepstack_visual_indexes": [0], "num_position_embeddings": 256,
        },
        image_token_id=token("<|image_pad|>"), video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"), vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=True,
    )  # fmt: skip


def write_tiny(
    folder: Path, *, hidden: int = 64, layers: int = 2, context: int = 131_072, heads: int = 4, head: int = 16,
    actions: bool = True, seed: int = 1,
) -> Path:  # fmt: skip
    """A Qwen3-VL checkpoint in `folder`: config, safetensors, tokenizer, image processor. Returns the folder."""
    import torch
    from transformers import Qwen2VLImageProcessorPil, Qwen3VLForConditionalGeneration

    torch.manual_seed(seed)
    tokenizer = tiny_tokenizer(actions)
    model = Qwen3VLForConditionalGeneration(tiny_config(tokenizer, hidden, layers, context, heads, head))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    size = {"shortest_edge": 32 * 32, "longest_edge": 512 * 512}
    processor = Qwen2VLImageProcessorPil(size=size, patch_size=16, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    processor.save_pretrained(folder)
    return folder


def write_tiny_llava(folder: Path, seed: int = 1, window: int | None = None, context: int = 8_192) -> Path:
    """A LLaVA checkpoint in `folder`, as a stand-in for every model that was not made for this; with a `window` its tokens see
    no further back. Returns the folder.
    """
    import torch
    import transformers
    from transformers import CLIPVisionConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor, MistralConfig

    torch.manual_seed(seed)
    library: Any = transformers  # parts of it are untyped
    tokenizer = tiny_tokenizer(actions=False, image="<image>")
    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=8
    )
    text = MistralConfig(
        vocab_size=len(tokenizer), hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=context, sliding_window=window,
    )  # fmt: skip
    image_token = tokenizer.convert_tokens_to_ids("<image>")
    model = LlavaForConditionalGeneration(LlavaConfig(vision_config=vision, text_config=text, image_token_index=image_token))
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    size = {"height": 32, "width": 32}
    pictures = library.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=size)
    make: Any = LlavaProcessor
    make(
        image_processor=pictures, tokenizer=tokenizer, patch_size=8, vision_feature_select_strategy="default",
        image_token="<image>", chat_template=tokenizer.chat_template, num_additional_image_tokens=1,
    ).save_pretrained(folder)  # fmt: skip
    return folder
