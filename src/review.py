"""Review: see datamap.commands.review, or `python src/review.py --help`."""

from datamap.commands.cli import script

if __name__ == "__main__":
    script("review")
