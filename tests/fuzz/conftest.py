"""The harness is shared with ``benchmarks/fuzz.py``, so it is imported from the checkout's root."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
