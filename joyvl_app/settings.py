"""The only reader of the environment. Every setting is `JOYVL_` and its name in capitals; README.md lists them all."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from joyvl_app.domain import MODEL_PIXELS, REPLY_TOKENS
from joyvl_app.errors import BadInput

_PRIVATE = {
    "turn_password", "turn_user", "turn_url", "host", "data_dir", "openai_key", "openai_urls", "api_key", "prompt_file",
    "melo_model", "whisper_model", "database_url", "summarizer_url", "summarizer_key", "brain_url", "brain_key", "mcp_file",
    "rating_password",
}  # fmt: skip


def _on_space() -> bool:
    return bool(os.environ.get("SPACE_ID"))


class Settings(BaseSettings):
    """Bounds and choices, each with a default; secrets are never written to logs."""

    model_config = SettingsConfigDict(env_prefix="JOYVL_", extra="ignore", frozen=True)

    host: str = Field(
        default_factory=lambda: "0.0.0.0" if _on_space() else "127.0.0.1",
        description="address the page listens on; 0.0.0.0 for every network (the default on a Space)",
    )
    port: int = Field(7860, ge=1, le=65_535, description="port the page listens on")
    data_dir: Path = Field(Path("data"), description="folder for event logs")
    decider: str = Field(
        "auto", description="which decider watches: auto, embedded, vlm, openai_chat, silent, chatty, turn_based …"
    )
    brain: str = Field("auto", description="which brain answers hard questions: auto, memory, agent, local, canned, scripted")
    synthesizer: str = Field("auto", description="voice of the page: auto, none, hibari, melo, espeak, browser, scripted")
    transcriber: str = Field("auto", description="hears the microphone: auto, none, moonshine, whisper, scripted")
    language: Literal["en", "zh"] = Field("en", description="language of the assistant's sentences on the command line")

    tick_seconds: float = Field(1.0, ge=0.2, le=10, description="seconds between decisions")
    looks_per_tick: int = Field(2, ge=1, le=3, description="pictures looked at for each decision")
    frame_max_side: int = Field(1_280, ge=160, le=4_096, description="larger pictures are scaled down to this, pixels")
    blind_after: float = Field(3.0, ge=1, le=60, description="seconds without a picture until it says it is blind")
    require_instruction: bool = Field(True, description="stay silent until a first instruction or question arrives")

    model: str = Field("jdopensource/JoyAI-VL-Interaction", description="checkpoint of the vlm decider: a folder or a hub id")
    model_device: str = Field("auto", description="where it lies: auto (all GPUs, else the CPU), cpu, cuda, cuda:1 …")
    model_dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field("auto", description="number format of its weights")
    model_bits: Literal[16, 8, 4] = Field(16, description="8 or 4 quantises its weights (needs bitsandbytes)")
    picture_pixels: int = Field(MODEL_PIXELS, ge=1_024, le=4_194_304, description="a picture's size for a model, pixels")
    temperature: float = Field(0.8, ge=0, le=2, description="how freely a model words its sentences; 0 takes the likeliest")
    reply_tokens: int = Field(REPLY_TOKENS, ge=8, le=2_048, description="tokens of one spoken turn at most")
    reprime_frames: int = Field(4, ge=0, le=64, description="last seconds that a new chunk takes along from the one before")
    stateless: bool = Field(False, description="keep nothing on the GPU between seconds (ZeroGPU)")
    stateless_frames: int = Field(8, ge=1, le=64, description="last pictures read each second in that mode")
    prompt_file: Path | None = Field(None, description="a system prompt of your own for models, used whole")
    batch_max: int = Field(8, ge=1, le=256, description="sessions whose seconds a model decides in one pass")
    load_max: float = Field(0.9, gt=0, le=1, description="share of a model's capacity in use past which a new session is refused")
    openai_urls: str = Field("", description="OpenAI-compatible servers of the openai_chat decider, separated by commas")
    openai_model: str = Field("", description="the model's name there; empty: the first that the server lists")
    openai_key: SecretStr = Field(SecretStr(""), description="the key that those servers ask for")
    openai_seconds: float = Field(8, ge=0.5, le=120, description="seconds a server may take for one decision")
    openai_frames: int = Field(100, ge=1, le=1_000, description="pictures sent with a request at most")
    baseline: str = Field("embedded", description="the decider that the baselines turn_based and polling ask")
    poll_seconds: float = Field(10, ge=1, le=600, description="seconds between the questions that polling asks itself")
    gate: Literal["auto", "on", "off"] = Field("auto", description="skip still pictures: auto (before models only), on, off")
    gate_seconds: float = Field(15, ge=1, le=600, description="seconds after which a still picture is looked at all the same")
    api_key: SecretStr = Field(SecretStr(""), description="bearer token that the HTTP API asks for; empty: none")
    api_sessions: int = Field(64, ge=1, le=10_000, description="sessions of the HTTP API at once")

    max_sessions: int = Field(8, ge=1, le=1_000, description="sessions at once; one more is told to wait")
    session_idle: float = Field(3_600, ge=10, description="seconds without a picture until a session is closed")
    session_hours: float = Field(24, gt=0, le=24 * 30, description="hours until a session is closed")
    log_max_mb: int = Field(256, ge=1, le=4_096, description="size of one event log, MB; later events are not written")
    log_days: float = Field(7, gt=0, le=3_650, description="days an event log is kept")
    whisper_model: str = Field("base", description="size of openai-whisper (tiny … large, turbo), or a checkpoint file")
    whisper_device: str = Field("auto", description="where whisper runs: auto, cpu, cuda")
    whisper_language: str = Field(
        "detect", description="what is spoken: detect, page (the page's language), or a code such as de"
    )
    transcriber_seconds: float = Field(15, ge=1, le=300, description="seconds the transcriber may take for one stretch of speech")
    voice_seconds: float = Field(5, ge=0.5, le=120, description="seconds a voice may take until a sentence sounds")
    melo_model: str = Field("csukuangfj/vits-melo-tts-zh_en", description="MeloTTS for sherpa-onnx: a folder or a hub id")
    speech_seconds: float = Field(20, ge=4, le=60, description="seconds of speech read in one piece; a monologue is cut there")
    audio_backlog: float = Field(5, ge=1, le=60, description="seconds of microphone waiting to be heard; older is dropped")

    inbox_max: int = Field(32, ge=1, le=1_000, description="typed or heard sentences waiting for the next decision")
    utterance_chars: int = Field(600, ge=40, le=10_000, description="characters of one spoken turn; longer is cut")

    database_url: SecretStr = Field(
        SecretStr(""),
        description="archive and votes: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME; empty: DATA_DIR/*.db",
    )
    archive: Literal["on", "off"] = Field("on", description="keep what was seen and said beyond the session: on, off")
    archive_mb: int = Field(1_024, ge=1, le=1_000_000, description="size of the archive, MB; the oldest goes first")
    archive_days: float = Field(30, gt=0, le=3_650, description="days that the archive keeps anything")
    key_frames: int = Field(120, ge=1, le=5_000, description="key frames of a session held in memory, to look at again")
    summarizer: Literal["auto", "digest", "model", "scripted"] = Field(
        "auto", description="writes summaries: digest (of the evidence), model (a server), auto (model where one is set)"
    )
    summarizer_url: str = Field("", description="OpenAI-compatible server for summaries; empty: the openai_chat decider's")
    summarizer_model: str = Field("", description="the model's name there; empty: the first that the server lists")
    summarizer_key: SecretStr = Field(SecretStr(""), description="the key that it asks for")
    summary_seconds: float = Field(18, ge=1, le=300, description="seconds a summary may take; a later one leaves a gap")
    summary_ahead: int = Field(20, ge=1, le=600, description="seconds before a chunk's end at which its summary is begun")
    summary_tokens: int = Field(160, ge=20, le=4_000, description="tokens of one mid-term summary; longer is cut")
    block_tokens: int = Field(240, ge=20, le=4_000, description="tokens of one long-term block, made of five summaries")
    blocks: int = Field(24, ge=1, le=200, description="long-term blocks kept in a session; the oldest goes first")
    memory_tokens: int = Field(6_000, ge=200, le=100_000, description="tokens of memory in front of a chunk, all tiers together")
    chunk_seconds: int = Field(100, ge=5, le=3_600, description="seconds of working memory before a new chunk begins")
    qa_pairs: int = Field(40, ge=1, le=1_000, description="question and answer pairs kept in memory")
    brain_model: str = Field(
        "",
        description="the brain's model: openai:NAME, anthropic:NAME, ollama:NAME …, FILE.gguf; empty: memory and tools",
    )
    brain_url: str = Field("", description="OpenAI-compatible server of the brain's model; JOYVL_BRAIN_MODEL is its name there")
    brain_key: SecretStr = Field(SecretStr(""), description="the key that the brain's provider asks for")
    brain_steps: int = Field(8, ge=1, le=64, description="times that the brain may ask its model for one question")
    brain_tokens: int = Field(1_024, ge=16, le=32_000, description="tokens that the brain's model may write at a time")
    brain_tool_chars: int = Field(6_000, ge=200, le=200_000, description="characters of a tool's result; longer is cut")
    brain_tool_seconds: float = Field(20, ge=1, le=600, description="seconds that one tool call may take")
    mcp_file: Path | None = Field(None, description="MCP servers of the brain: a JSON file as other MCP clients use it")
    delegations_max: int = Field(4, ge=1, le=64, description="delegated questions at once in a session")
    delegation_seconds: float = Field(60, ge=1, le=3_600, description="seconds a delegated question may take")
    answer_wait: float = Field(5.0, ge=0, le=600, description="seconds a ready answer may stay unsaid on a free floor")
    permission_seconds: float = Field(30, ge=1, le=600, description="seconds to allow what a brain wants to do; then it is a no")
    answer_chars: int = Field(20_000, ge=100, le=1_000_000, description="characters of an answer's card; longer is cut")

    rating_password: SecretStr = Field(
        SecretStr(""), description="password of the rating page's results; empty: no results there"
    )
    rating_mb: int = Field(4_096, ge=16, le=1_000_000, description="clips of all rating studies together, MB; more is refused")

    turn: Literal["none", "cloudflare", "huggingface", "static"] = Field(
        "none", description="relay for browsers behind a firewall: none, cloudflare, huggingface, static"
    )
    turn_url: str = Field("", description="with turn=static: turn:host:port")
    turn_user: str = Field("", description="with turn=static: user name")
    turn_password: SecretStr = Field(SecretStr(""), description="with turn=static: password")

    @property
    def on_space(self) -> bool:
        """Whether this runs as a Hugging Face Space, inside the frame of its page."""
        return _on_space()

    def public(self) -> dict[str, Any]:
        """What may be written into a log: secrets, addresses and this machine's folders left out."""
        told = self.model_dump(mode="json", exclude=_PRIVATE)
        told["brain_model"] = Path(self.brain_model).name if self.brain_model.endswith(".gguf") else self.brain_model
        return {**told, "model": Path(self.model).name if Path(self.model).expanduser().is_dir() else self.model}


@cache
def load_settings() -> Settings:
    """Settings from the environment. Raises BadInput naming the variable and what it may be."""
    try:
        return Settings()  # type: ignore[call-arg]  # every field has a default; the environment fills the rest
    except ValidationError as error:
        fault = error.errors()[0]
        name = "JOYVL_" + "_".join(str(part) for part in fault["loc"]).upper()
        raise BadInput(f"The setting {name} is wrong: {fault['msg'].rstrip('.')}.") from error


def let_threads_rest() -> None:
    """Before torch is imported: on a CPU its threads rest between two operations instead of spinning, so that others may work."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
