# SPDX-License-Identifier: MIT
"""A soc.toml for the tests to bend, and where the checkout is."""

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(CHECKOUT / "scripts"))

GOOD = """
[soc]
name = "demo"
pct = "platform_config.h"

[vm.guest]
partition = "GID_GUEST_VM"
cfg = "guest.cfg"
files = ["app:/usr/bin/app:755"]
run = "app"

[vm.update]
partition = 3
memory = "1G"
"""
