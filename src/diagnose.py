"""Diagnose: see datamap.pipeline.diagnose, or `python src/diagnose.py --help`."""

from datamap.cli.entry import script

if __name__ == "__main__":
    script("diagnose")
