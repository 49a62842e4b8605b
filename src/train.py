"""Train: see datamap.commands.train, or `python src/train.py --help`."""

from datamap.commands.cli import script

if __name__ == "__main__":
    script("train")
