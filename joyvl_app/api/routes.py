"""The routes, and the blocks that both public servers' clients read."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from joyvl_app import dialect
from joyvl_app.api.guard import bounded_body, refuse_foreign_pages
from joyvl_app.api.sessions import ApiSession, ApiSessions, Told
from joyvl_app.api.wire import MAX_BYTES, read_body, read_request, session_of
from joyvl_app.domain import Delegate, Respond
from joyvl_app.errors import BadInput, Busy, JoyError, ProviderFailed
from joyvl_app.settings import Settings

_PLAIN = "".join(map(chr, range(32, 127)))  # what a header may hold as it is
_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


def make_api(sessions: ApiSessions, model: str, settings: Settings) -> APIRouter:
    """`/v1/chat/completions`, `/v1/streaming/reset`, `/reset`, `/v1/models`, `/health`."""
    router = APIRouter()

    @router.post("/v1/chat/completions")
    async def complete(request: Request) -> Response:
        began = time.perf_counter()
        try:
            _check_key(request, settings)
            body = read_body(await bounded_body(request, MAX_BYTES, "A request"))
            asked = await asyncio.to_thread(read_request, request.headers, body, settings.frame_max_side)
            session = await sessions.get(asked.session)
            told = await session.decide(asked.query, asked.images, asked.times)
        except JoyError as error:
            return _refused(error)
        except Exception as error:  # a plug-in's fault must reach the client in the form that it reads
            return _refused(ProviderFailed(f"The decider failed on this request ({type(error).__name__})."))
        answer = _completion(model, session, told, time.perf_counter() - began)
        headers = dict.fromkeys(("x-streaming-session", "x-session-id"), quote(session.id, safe=_PLAIN))
        if asked.stream:
            return StreamingResponse(_events(answer), media_type="text/event-stream", headers=headers)
        return JSONResponse(answer, headers=headers)

    @router.post("/v1/streaming/reset")
    @router.post("/reset")
    async def reset(request: Request) -> Response:
        try:
            _check_key(request, settings)
            session_id = session_of(request.headers, read_body(await bounded_body(request, MAX_BYTES, "A request")))
        except JoyError as error:
            return _refused(error)
        removed = await sessions.reset(session_id)
        return JSONResponse({"ok": True, "status": "reset", "session_id": session_id, "removed": removed})

    @router.get("/health")
    async def health() -> dict[str, Any]:
        return {
            "ok": True, "status": "ok", "model": model, "backends": [model], "summarizer_enabled": False,
            "sessions": sessions.count, "queue": sessions.report(),
        }  # fmt: skip

    @router.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [{"id": model, "object": "model", "created": 0, "owned_by": "joyvl"}]}

    return router


class _NoKey(JoyError):
    """The bearer token is missing or wrong."""


def _check_key(request: Request, settings: Settings) -> None:
    key = settings.api_key.get_secret_value()
    given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    if not key:
        refuse_foreign_pages(request)  # with a key, a page that has it may come from anywhere
    if key and not hmac.compare_digest(given.encode(), key.encode()):
        raise _NoKey("This server asks for its key: Authorization: Bearer …")


def _refused(error: JoyError) -> JSONResponse:
    """In OpenAI's form. 400 what the caller can mend, 401 no key, 503 try later, 502 the model failed."""
    kinds: list[tuple[type[JoyError], int, str]] = [
        (BadInput, 400, "invalid_request_error"), (_NoKey, 401, "authentication_error"), (Busy, 503, "busy"),
    ]  # fmt: skip
    status, kind = next(((code, name) for kind, code, name in kinds if isinstance(error, kind)), (502, "model_error"))
    return JSONResponse({"error": {"message": str(error), "type": kind, "param": None, "code": None}}, status)


def _completion(model: str, session: ApiSession, told: Told, seconds: float) -> dict[str, Any]:
    content = dialect.render(told.decision)
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    memory: dict[str, Any] = {"mid_term_summaries": [], "long_term_memory": ""}
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}", "object": "chat.completion", "created": int(time.time()), "model": model,
        "choices": [choice], "usage": dict(_USAGE),
        "streamingharness": {
            "main_model": model, "raw_content": told.raw or (content if told.asked else ""),
            "timing": {"adapter_total_ms": _ms(seconds), "vllm_inference_ms": _ms(told.seconds)},
            "summarizer_timing": {}, "memory": memory,
        },
        "interaction": {**_interaction(told), "delegation": None, "chunk_index": session.memory.chunk_id + 1,
                        "frame_index": session.frames, "inference_skipped": not told.asked, "latency_ms": _ms(seconds),
                        "memory": memory},
    }  # fmt: skip


def _interaction(told: Told) -> dict[str, Any]:
    decision = told.decision
    if isinstance(decision, Delegate):
        action, text, question = "delegate", decision.note, decision.question or None
    elif isinstance(decision, Respond):
        action, text, question = "response", decision.text, None
    else:
        action, text, question = "silence", "", None
    p_act = round(decision.p_act, 4)
    return {"action": action, "spoke": action != "silence", "text": text, "delegated_question": question, "p_act": p_act}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


async def _events(answer: dict[str, Any]) -> AsyncIterator[str]:
    """The same as server-sent events, for clients that stream."""
    chunk = {key: answer[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    delta = {"role": "assistant", "content": answer["choices"][0]["message"]["content"]}
    yield f"data: {json.dumps({**chunk, 'choices': [{'index': 0, 'delta': delta, 'finish_reason': None}]})}\n\n"
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    blocks = {key: answer[key] for key in ("usage", "streamingharness", "interaction")}
    yield f"data: {json.dumps({**chunk, **end, **blocks})}\n\n"
    yield "data: [DONE]\n\n"
