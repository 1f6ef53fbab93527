"""A checkpoint on disk or on the hub: found, checked, loaded. Every fault is told as what to do about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joyvl_app.errors import BadInput, JoyError, MissingPart, ProviderFailed

_NEEDED = ("config.json", "tokenizer_config.json")
_INDEX = "model.safetensors.index.json"
PROMPT = "system_prompt.txt"
_KIND = "image-text-to-text"
_QWEN = ("qwen3_vl", "qwen3_vl_moe")


@dataclass(frozen=True)
class Checkpoint:
    """What was loaded: the model in evaluation mode, its tokenizer, its picture processor; else the whole processor."""

    name: str
    model: Any
    tokenizer: Any
    image_processor: Any
    processor: Any

    @property
    def is_qwen(self) -> bool:
        return is_qwen(self.model.config)


def is_qwen(config: Any) -> bool:
    """Whether a model is of the Qwen3-VL kind, which is fed and packed by hand."""
    return config.model_type in _QWEN


def context_of(config: Any) -> int:
    """Tokens that a model's context holds."""
    return int(getattr(config.get_text_config(), "max_position_embeddings", None) or 4_096)


@dataclass(frozen=True)
class Placement:
    """Where and how the weights lie. `device` is auto, cpu, cuda …; `dtype` auto, bfloat16 …; `bits` 16, 8 or 4."""

    device: str = "auto"
    dtype: str = "auto"
    bits: int = 16


def own_prompt(name: str) -> Path | None:
    """The system turn that a checkpoint of the recipe was trained with, which lies beside its weights."""
    path = Path(name).expanduser() / PROMPT
    return path if path.is_file() else None


def check_folder(folder: Path) -> None:
    """Raises BadInput when the folder is no whole checkpoint of the right kind."""
    if not folder.is_dir():
        raise BadInput(
            f"There is no folder {folder}. Set JOYVL_MODEL to a checkpoint's folder or its name on the Hugging Face hub."
        )
    for name in _NEEDED:
        if not (folder / name).is_file():
            raise BadInput(f"{folder} is not a whole checkpoint: {name} is missing. Copy or download it again.")
    if not any(folder.glob("*.safetensors")) and not any(folder.glob("pytorch_model*.bin")):
        raise BadInput(f"{folder} holds no weights (*.safetensors). The download may have been cut short; repeat it.")
    _check_shards(folder)


def _check_shards(folder: Path) -> None:
    """Every shard that the index names must lie there, and none may be a cut-off file."""
    index = folder / _INDEX
    try:
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()) if index.is_file() else set()
    except (ValueError, KeyError, AttributeError) as error:
        raise BadInput(f"{index} is damaged. Download the checkpoint again.") from error
    absent = sorted(name for name in named if not (folder / name).is_file())
    if absent:
        raise BadInput(f"{folder} is half downloaded: {len(absent)} of {len(named)} parts are missing, {absent[0]} first.")
    for path in sorted(folder.glob("*.safetensors")):
        if path.stat().st_size < _promised_size(path):
            raise BadInput(f"{path} is cut short. Download this part again.")


def _promised_size(path: Path) -> int:
    """The bytes that a safetensors file's own header speaks of (format: 8 bytes of length, then JSON). Raises BadInput."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, 100_000_000)))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        return 8 + length + max(ends, default=0)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise BadInput(f"{path} is damaged or cut short. Download this part again.") from error


def load(name: str, placement: Placement) -> Checkpoint:
    """Load a folder or a hub id. Raises BadInput, MissingPart or ProviderFailed; touches the hub only for a hub id."""
    if _is_folder(name):
        check_folder(Path(name).expanduser())
    try:
        return _load(str(Path(name).expanduser()) if _is_folder(name) else name, placement)
    except JoyError:
        raise
    except ImportError as error:
        raise MissingPart(f"The model {name} needs a package that is not installed: {first_line(error)}") from error
    except OSError as error:
        raise BadInput(_why_not(name, error)) from error
    except (ValueError, KeyError, RuntimeError) as error:
        raise ProviderFailed(f"The model {name} could not be loaded: {first_line(error)}") from error


def _is_folder(name: str) -> bool:
    return name.startswith((".", "/", "~")) or name.count("/") != 1 or Path(name).is_dir()


def _why_not(name: str, error: OSError) -> str:
    if _is_folder(name):
        return f"The checkpoint {name} cannot be read: {first_line(error)}"
    return (
        f"The model {name} is not on this machine and could not be fetched. Check the name and the network, "
        "or set JOYVL_MODEL to a folder; JOYVL_DECIDER=embedded needs neither."
    )


def _load(name: str, placement: Placement) -> Checkpoint:
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    config = AutoConfig.from_pretrained(name)
    if type(config) not in AutoModelForImageTextToText._model_mapping:
        raise BadInput(f"{name} is a model of the kind '{config.model_type}', not of the kind {_KIND}: it cannot see.")
    tokenizer, image_processor, processor = parts_of(name, config)
    model: Any = AutoModelForImageTextToText.from_pretrained(name, **_placed(placement, torch))
    model.eval()
    speed_up(model)
    return Checkpoint(name, model, tokenizer, image_processor, processor)


def parts_of(name: str, config: Any) -> tuple[Any, Any, Any]:
    """Tokenizer, picture processor and, but for the Qwen3-VL kind, the whole processor."""
    import transformers

    library: Any = transformers  # parts of it are untyped
    if is_qwen(config):
        return library.AutoTokenizer.from_pretrained(name), library.AutoImageProcessor.from_pretrained(name), None
    processor = library.AutoProcessor.from_pretrained(name)
    tokenizer = getattr(processor, "tokenizer", None) or library.AutoTokenizer.from_pretrained(name)
    return tokenizer, getattr(processor, "image_processor", None), processor


def _placed(placement: Placement, torch: Any) -> dict[str, Any]:
    options: dict[str, Any] = {"dtype": placement.dtype if placement.dtype == "auto" else getattr(torch, placement.dtype)}
    device = placement.device
    if device == "auto":
        device = "auto" if torch.cuda.is_available() else "cpu"
    if device != "cpu":
        options["device_map"] = device if device == "auto" else {"": device}
    if placement.bits != 16:
        options["quantization_config"] = _quantised(placement.bits, torch)
    return options


def _quantised(bits: int, torch: Any) -> Any:
    from importlib.util import find_spec

    if find_spec("bitsandbytes") is None:
        raise MissingPart(f"Loading in {bits} bits needs: pip install bitsandbytes")
    import transformers

    library: Any = transformers
    if bits == 8:
        return library.BitsAndBytesConfig(load_in_8bit=True)
    return library.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.bfloat16, bnb_4bit_quant_type="nf4")


def speed_up(model: Any) -> None:
    """A convolution whose stride is its kernel is a matrix product, and as one it is many times faster."""
    embed = getattr(getattr(getattr(model, "model", None), "visual", None), "patch_embed", None)
    convolution = getattr(embed, "proj", None)
    if embed is None or convolution is None or tuple(convolution.stride) != tuple(convolution.kernel_size):
        return
    from torch.nn.functional import linear

    def forward(patches: Any) -> Any:
        weight = embed.proj.weight  # read anew: training in several processes replaces it
        return linear(patches.view(-1, weight[0].numel()).to(weight.dtype), weight.flatten(1), embed.proj.bias)

    embed.forward = forward


def renderer(checkpoint: Checkpoint) -> Callable[[list[dict[str, Any]]], str]:
    """The checkpoint's chat template as a function. Raises BadInput when it has none."""
    owner = next((part for part in (checkpoint.processor, checkpoint.tokenizer) if getattr(part, "chat_template", None)), None)
    if owner is None:
        raise BadInput(f"The model {checkpoint.name} has no chat template, so it cannot be talked to.")
    return lambda talk: str(owner.apply_chat_template(talk, tokenize=False, add_generation_prompt=True))


def first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]
