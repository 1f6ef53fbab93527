"""fastrtc ⇄ Session: the page's pictures and microphone arrive here, the assistant's voice leaves, a frame at a time.

The page makes its own peer connection (so that camera, screen and clips take one path and it can draw over the picture);
fastrtc answers the offer. The data channel that the page opens is what starts fastrtc's frame loops.
"""

from __future__ import annotations

import asyncio
from typing import Any

import cv2
import numpy as np
from fastrtc import AsyncAudioVideoStreamHandler
from fastrtc.webrtc_connection_mixin import WebRTCConnectionMixin
from numpy.typing import NDArray

from joyvl_app.audio import SPOKEN_RATE, pcm
from joyvl_app.domain import AudioChunk, Frame, Image, Pcm
from joyvl_app.errors import BadInput, Busy
from joyvl_app.playout import FRAME_SECONDS
from joyvl_app.session import Session
from joyvl_app.settings import Settings
from joyvl_app.sources.scaling import fit
from joyvl_app.ui.turn import server_configuration

_RATE_PER_LOOK = 8  # pictures taken in for each look: the newest is then never old, and each costs a millisecond
_HEARD_RATE = 48_000  # what Opus decodes to; resampling here would make 60 ms of every 20
_LATE = 0.2  # seconds behind which the loudspeaker's beat is given up for a new one
_LIVES = 2  # connections a session: the one that is dying and the one that replaces it


class FrameHandler(AsyncAudioVideoStreamHandler):  # type: ignore[misc]  # fastrtc is untyped for us
    """Takes one connection's frames into its session; every callback is quick, for fastrtc awaits it in its track loop."""

    def __init__(self, rate: float, max_side: int) -> None:
        super().__init__("mono", output_sample_rate=SPOKEN_RATE, input_sample_rate=_HEARD_RATE, fps=15)
        self._spacing, self._max_side = 0.95 / rate, max_side
        self._last, self._beat = -1.0, 0.0
        self.session: Session | None = None

    def copy(self) -> FrameHandler:
        return FrameHandler(0.95 / self._spacing, self._max_side)

    async def start_up(self) -> None:
        return None

    async def video_receive(self, frame: NDArray[np.uint8]) -> None:
        """`frame` is BGR uint8 (height, width, 3)."""
        if self.session is None:
            return
        now = self.session.clock.now()
        if now - self._last >= self._spacing:
            self._last = now
            self.session.see(Frame(now, _rgb(frame, self._max_side)))

    async def video_emit(self) -> None:
        return None

    async def receive(self, frame: tuple[int, NDArray[np.int16]]) -> None:
        """20 ms of the microphone: its rate, and int16 (1, samples)."""
        if self.session is not None:
            samples = pcm(frame[1])
            now = self.session.clock.now()
            self.session.voice.listen(AudioChunk(now - samples.size / frame[0], frame[0], samples))

    async def emit(self) -> tuple[int, Pcm] | None:
        """20 ms for the loudspeaker, every 20 ms: made as late as can be, so that an interruption is heard at once."""
        loop = asyncio.get_running_loop()
        self._beat = loop.time() if loop.time() - self._beat > _LATE else self._beat + FRAME_SECONDS
        await asyncio.sleep(self._beat - loop.time())
        return (SPOKEN_RATE, self.session.voice.playout.frame()) if self.session is not None else None

    async def shutdown(self) -> None:
        self.session = None


class Rtc(WebRTCConnectionMixin):  # type: ignore[misc]
    """Answers offers of the page: fastrtc's connections without its component, whose place the page has taken."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.event_handler = FrameHandler(settings.looks_per_tick * _RATE_PER_LOOK, settings.frame_max_side)
        self.modality, self.mode = "audio-video", "send-receive"
        self.concurrency_limit = settings.max_sessions * _LIVES
        self.time_limit = None
        self.allow_extra_tracks = False
        self.rtc_configuration = None
        self.server_rtc_configuration = self.convert_to_aiortc_format(server_configuration(settings))

    async def answer(self, session: Session, connection: str, sdp: str) -> dict[str, Any]:
        """The SDP answer. Raises Busy at the connection limit, BadInput on an offer that cannot be answered."""
        webrtc_id = f"{session.id}.{connection}"
        try:
            body = {"sdp": sdp, "type": "offer", "webrtc_id": webrtc_id}
            reply = await self.handle_offer(body, self.set_additional_outputs(webrtc_id))
        except Exception as error:  # aiortc raises many kinds on a malformed offer
            self.clean_up(webrtc_id)
            raise BadInput("The browser's offer of live video could not be answered.") from error
        if not isinstance(reply, dict):
            raise Busy("Too many live connections at once; pictures are sent instead.")
        for other, handler in self.handlers.items():  # a connection that is dying must not take half of what is said
            if other.startswith(f"{session.id}."):
                handler.session = None
        self.handlers[webrtc_id].session = session
        for track in self.connections[webrtc_id]:
            if track.kind == "video":
                await track.start()  # the page takes no video back, so nobody else would
        return reply

    async def hang_up(self, session_id: str) -> None:
        """Close every connection of a session."""
        for webrtc_id, connection in list(self.pcs.items()):
            if webrtc_id.startswith(f"{session_id}."):
                await connection.close()


def _rgb(frame: NDArray[np.uint8], max_side: int) -> Image:
    rgb: Image = cv2.cvtColor(fit(frame, max_side), cv2.COLOR_BGR2RGB)
    return rgb
