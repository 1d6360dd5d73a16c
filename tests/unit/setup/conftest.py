# SPDX-License-Identifier: MIT
"""Lets the tests of the set-up find scripts/."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts"))
