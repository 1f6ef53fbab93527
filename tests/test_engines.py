"""The engines that hear and speak: for real where their weights are inside a package, else their real loading."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from joyvl_app.asr.moonshine import MoonshineTranscriber
from joyvl_app.asr.whisper import WhisperTranscriber
from joyvl_app.audio import HEARD_RATE, resampled
from joyvl_app.bench.speech_set import speech_set, word_errors
from joyvl_app.clock import RealClock
from joyvl_app.domain import AudioChunk, Pcm
from joyvl_app.errors import BadInput, MissingPart, ProviderFailed
from joyvl_app.ports import Synthesizer
from joyvl_app.sources.sound import SoundSource
from joyvl_app.tts.espeak import EspeakSynthesizer
from joyvl_app.tts.hibari import HibariSynthesizer
from joyvl_app.tts.melo import MeloSynthesizer, is_here
from joyvl_app.voices import Voices
from joyvl_app.worker import Model
from tests.melo import write_tiny_melo
from tests.speech import reading, sentence, write_wav
from tests.support import settings


async def said(voice: Synthesizer, text: str, speed: float = 1.0) -> tuple[Pcm, int]:
    chunks = [chunk async for chunk in voice.stream(text, speed)]
    return np.concatenate([chunk.samples for chunk in chunks]), chunks[0].rate


# --- hearing ----------------------------------------------------------------------------------------------------------


async def test_moonshine_understands_people() -> None:
    engine = MoonshineTranscriber(RealClock(), 30)
    people = speech_set()
    assert len(people) >= 30
    some = people[:6]
    heard = [await engine.transcribe(AudioChunk(0, HEARD_RATE, each.samples), "en") for each in some]
    assert word_errors([each.text for each in some], heard) <= 0.15
    await engine.aclose()


def _write_whisper(path: Path) -> Path:
    """A checkpoint of openai-whisper's own format, tiny and random."""
    import torch
    from whisper.model import ModelDimensions, Whisper

    torch.manual_seed(0)
    dims = ModelDimensions(80, 1500, 16, 2, 1, 51_865, 64, 16, 2, 1)
    torch.save({"dims": vars(dims), "model_state_dict": Whisper(dims).state_dict()}, path)
    return path


async def test_whisper_loads_a_checkpoint_and_transcribes(tmp_path: Path) -> None:
    """Random weights know no words; that it runs to its end, on silence and on speech, and says text, is what is shown."""
    model = str(_write_whisper(tmp_path / "random.pt"))
    engine = WhisperTranscriber(RealClock(), settings(whisper_model=model, whisper_language="page", transcriber_seconds=120))
    assert engine.languages == ("en", "zh")
    assert isinstance(await engine.transcribe(AudioChunk(0, HEARD_RATE, sentence("What do you see?")), "en"), str)
    assert isinstance(await engine.transcribe(AudioChunk(0, 8_000, np.zeros(4_000, np.int16)), "zh"), str)
    await engine.aclose()


@pytest.mark.parametrize(
    ("model", "told"),
    [("enormous", "neither a checkpoint file nor one of: tiny"), ("damaged.pt", "no Whisper checkpoint, or a damaged one")],
)
async def test_whisper_that_cannot_be_loaded_says_what_to_do(tmp_path: Path, model: str, told: str) -> None:
    (tmp_path / "damaged.pt").write_bytes(b"PK\x03\x04 not really")
    name = str(tmp_path / model) if model.endswith(".pt") else model
    with pytest.raises(MissingPart, match=told):
        await WhisperTranscriber(RealClock(), settings(whisper_model=name)).start()


async def test_weights_that_cannot_be_fetched_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(MissingPart, match="Whisper's weights 'tiny' cannot be fetched"):
        await WhisperTranscriber(RealClock(), settings(whisper_model="tiny")).start()


async def test_a_model_that_hangs_is_given_up_and_the_next_call_is_answered() -> None:
    model = Model("engine", RealClock(), lambda: "ready")
    with pytest.raises(ProviderFailed, match="engine did not answer within 0 seconds"):
        await model.run(lambda name: time.sleep(1.5), 0.2)
    assert await model.run(lambda name: name, 0.5) == "ready"
    model.close()


# --- speaking ---------------------------------------------------------------------------------------------------------


async def test_hibari_speaks_words_that_are_understood() -> None:
    voice = HibariSynthesizer(RealClock(), 10)
    assert not voice.ready
    await voice.start()
    samples, rate = await said(voice, "Someone came in on the left.")
    assert "came in on the left" in reading(samples, rate).lower()
    faster, _ = await said(voice, "Someone came in on the left.", speed=1.5)
    assert faster.size < 0.8 * samples.size
    phonemes, _ = await said(voice, "[dog](/kˈæt/)")  # text is data: no phonemes from outside
    assert "cat" not in reading(phonemes, rate).lower().split()
    await voice.aclose()


async def test_espeak_speaks_two_languages_and_takes_no_commands() -> None:
    voice = EspeakSynthesizer(RealClock(), 10)
    await voice.start()
    samples, rate = await said(voice, "Please remember to turn off the lights before you leave the house tonight.")
    assert "turn off the lights" in reading(samples, rate).lower()
    chinese, _ = await said(voice, "有人从左边进来了。")
    assert np.abs(chinese.astype(np.int32)).max() > 3_000 and chinese.size > rate
    plain, _ = await said(voice, "a dog came in")
    tricked, _ = await said(voice, "\x0180Sa dog\x00 came in")
    assert tricked.size < 1.8 * plain.size
    await voice.aclose()


async def test_melo_speaks_clause_by_clause_through_sherpa(tmp_path: Path) -> None:
    """Its real weights cannot be had here: a model of tones proves the way to them, not the voice."""
    folder = write_tiny_melo(tmp_path / "tiny")
    voice = MeloSynthesizer(RealClock(), str(folder), 10)
    assert is_here(str(folder)) and voice.languages == ("en", "zh")
    await voice.start()
    chunks = [chunk async for chunk in voice.stream("hello world. 你好!")]
    assert len(chunks) == 2 and chunks[0].rate == 44_100 and chunks[0].seconds > 0.5
    loud = resampled(chunks[0].samples, 44_100, HEARD_RATE)
    assert np.argmax(np.abs(np.fft.rfft(loud))) * HEARD_RATE / loud.size == pytest.approx(440, abs=5)
    await voice.aclose()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: (folder / "tokens.txt").unlink(), "missing or empty: tokens.txt"),
        (lambda folder: (folder / "lexicon.txt").write_bytes(b""), "missing or empty: lexicon.txt"),
        (lambda folder: (folder / "model.onnx").write_bytes(b"version https://git-lfs.github.com/spec/v1"), "are damaged"),
        (lambda folder: (folder / "tokens.txt").write_text("<html>not found</html>"), "are damaged"),
        (lambda folder: (folder / "lexicon.txt").write_text("hello hh ah\n"), "are damaged"),
    ],
)
async def test_a_melo_folder_with_something_wrong_is_refused_and_nothing_dies(tmp_path: Path, spoil: object, told: str) -> None:
    folder = write_tiny_melo(tmp_path / "tiny")
    spoil(folder)  # type: ignore[operator]
    with pytest.raises(BadInput, match=told):
        await MeloSynthesizer(RealClock(), str(folder), 10).start()


async def test_melo_weights_that_cannot_be_fetched_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(MissingPart, match=r"cannot be fetched. Put model.onnx, tokens.txt, lexicon.txt into a folder"):
        await MeloSynthesizer(RealClock(), "nobody/no-such-voice", 10).start()
    assert not is_here("nobody/no-such-voice")


# --- which of them ----------------------------------------------------------------------------------------------------


def test_voices_stand_in_for_one_another(tmp_path: Path) -> None:
    def names(chain: tuple[Synthesizer, ...]) -> list[str]:
        return [voice.name for voice in chain]

    there = Voices(settings(melo_model=str(write_tiny_melo(tmp_path / "tiny"))), RealClock())
    assert names(there.chain()) == ["hibari", "melo", "espeak", "browser"]
    assert names(there.chain("melo"))[:2] == ["melo", "hibari"]
    away = Voices(settings(melo_model="nobody/no-such-voice"), RealClock())
    assert "melo" not in names(away.chain()) and "melo" not in away.offered
    assert names(away.chain("browser")) == ["browser"] and away.chain("none") == ()
    wanted = Voices(settings(synthesizer="melo", melo_model="nobody/no-such-voice"), RealClock())
    assert names(wanted.chain())[0] == "melo", "it is named in the settings: it may be fetched"


def test_what_hears_is_chosen_by_the_settings() -> None:
    assert Voices(settings(), RealClock()).ears()[0] is not None
    assert Voices(settings(transcriber="none"), RealClock()).ears() == (None, None)
    with pytest.raises(BadInput, match=r"There is no transcriber 'ear'. Choose from: moonshine, whisper, scripted"):
        Voices(settings(transcriber="ear"), RealClock())
    with pytest.raises(BadInput, match="There is no voice 'mouth'"):
        Voices(settings(synthesizer="mouth"), RealClock())


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (48_000, 2), (16_000, 1)])
async def test_a_sound_file_of_any_rate_becomes_a_microphone(tmp_path: Path, rate: int, channels: int) -> None:
    path = write_wav(tmp_path / "question.wav", resampled(sentence("What do you see?"), HEARD_RATE, rate), rate, channels)
    source = SoundSource(path)
    chunks = [chunk async for chunk in source.chunks()]
    await source.aclose()
    assert all(chunk.rate == HEARD_RATE for chunk in chunks) and chunks[3].t == pytest.approx(0.3)
    assert reading(np.concatenate([chunk.samples for chunk in chunks]), HEARD_RATE).lower().startswith("what do you see")


def test_files_without_sound_are_refused(tmp_path: Path) -> None:
    (tmp_path / "noise.wav").write_bytes(b"not a sound" * 100)
    for path, told in ((tmp_path / "no.wav", "There is no file"), (tmp_path / "noise.wav", "cannot be read as sound")):
        with pytest.raises(BadInput, match=told):
            SoundSource(path)
