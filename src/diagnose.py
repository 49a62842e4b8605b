"""Diagnose: see datamap.commands.diagnose, or `python src/diagnose.py --help`."""

from datamap.commands.cli import script

if __name__ == "__main__":
    script("diagnose")
