"""`make demo` is what a newcomer runs first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from lab.siproxd import binary

# Seconds that it may take on a busy machine.
PATIENCE = 120


def test_the_demo_ends_well() -> None:
    """Two calls, with what happened."""
    environment = {**os.environ, "SIPROXD": str(binary()), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "demo.py"], cwd=Path(__file__).parent, capture_output=True, text=True,
                          timeout=PATIENCE, check=False, env=environment)
    assert done.returncode == 0, f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
    assert "Both calls passed" in done.stdout, done.stdout
