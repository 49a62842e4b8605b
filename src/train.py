"""Train: see datamap.cli.commands, or `python src/train.py --help`."""

from datamap.cli.entry import script

if __name__ == "__main__":
    script("train")
