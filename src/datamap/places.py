"""Locate the config and the demo data: in the clone if this is part of one, else in the installed package."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CLONE = PACKAGE.parents[1]
IN_CLONE = (CLONE / "MLproject").is_file()
CONF = CLONE / "conf" if IN_CLONE else PACKAGE / "conf"
DEMO = CLONE / "data" if IN_CLONE else PACKAGE / "demo"
