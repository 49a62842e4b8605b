"""Compare: see datamap.commands.compare, or `python src/compare.py --help`."""

from datamap.commands.cli import script

if __name__ == "__main__":
    script("compare")
