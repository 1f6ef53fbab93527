"""Open the page: `python app.py`."""

from __future__ import annotations

import os
import sys

# The page must work without the internet, and tells nobody that it runs.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import uvicorn

from joyvl_app.errors import JoyError
from joyvl_app.listening import check_port
from joyvl_app.settings import load_settings


def main() -> int:
    """Serve until interrupted; 2 when the set-up is wrong."""
    try:
        settings = load_settings()
        check_port(settings.host, settings.port)
        from eval_ui.wing import rating_wing
        from joyvl_app.ui.server import build_app

        app = build_app(settings, rating_wing(settings))
    except JoyError as error:
        print(f"The app cannot start: {error}", file=sys.stderr)
        return 2
    print(f"JoyVL is at http://{settings.host}:{settings.port} (Ctrl+C ends it)", flush=True)
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning", timeout_graceful_shutdown=3)
    return 0


if __name__ == "__main__":
    sys.exit(main())
