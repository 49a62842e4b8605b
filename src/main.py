"""Main: see datamap.commands.main, or `python src/main.py --help`."""

from datamap.commands.cli import script

if __name__ == "__main__":
    script("main")
