"""Review: see datamap.pipeline.review, or `python src/review.py --help`."""

from datamap.cli.entry import script

if __name__ == "__main__":
    script("review")
