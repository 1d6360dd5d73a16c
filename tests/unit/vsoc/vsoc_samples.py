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

# Two SoCs, whose chips two links join.
CHIPS = """
name = "chips"

[soc.a]
pct = "platform_config.h"
[soc.a.vm.guest]
partition = "GID_GUEST_VM"
[soc.a.vm.update]
partition = 3

[soc.b]
pct = "platform_config.h"
[soc.b.vm.guest]
partition = "GID_GUEST_VM"

[link.main]
ends = ["a.guest", "b.guest"]
[link.out]
vm = "a.update"
listen = "0.0.0.0:7000"
"""
