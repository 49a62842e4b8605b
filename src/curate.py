"""Curate: see datamap.commands.curate, or `python src/curate.py --help`."""

from datamap.commands.cli import script

if __name__ == "__main__":
    script("curate")
