"""Workers of a killed command end too, even in the middle of handing something over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.support import ROOT

_PARENT = """
import os, sys
from joyvl_app.pools import process_pool

def large(_):
    return bytes(10_000_000)

if __name__ == "__main__":
    with process_pool(2) as pool:
        made = [pool.submit(large, n) for n in range(60)]
        made[0].result()
        print(*pool._processes, flush=True)
        os.kill(os.getpid(), 19)  # stopped: nobody takes what they made
"""


def test_workers_leave_with_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(_PARENT)
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True
    ) as parent:
        assert parent.stdout is not None
        workers = [int(number) for number in parent.stdout.readline().split()]
        assert len(workers) == 2 and all(_alive(number) for number in workers)
        parent.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 20
        while any(_alive(number) for number in workers) and time.monotonic() < deadline:
            time.sleep(0.1)
        left = [number for number in workers if _alive(number)]
        for number in left:
            os.kill(number, signal.SIGKILL)
    assert not left


def _alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
