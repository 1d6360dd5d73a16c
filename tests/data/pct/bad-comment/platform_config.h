/* SPDX-License-Identifier: MIT */
/* Never ends.
const struct platform_config platform_config = { };
