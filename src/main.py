"""Main: see datamap.cli.main, or `python src/main.py --help`."""

from datamap.cli.entry import script

if __name__ == "__main__":
    script("main")
