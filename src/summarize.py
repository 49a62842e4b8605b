"""Summarize: see datamap.commands.summarize, or `python src/summarize.py --help`."""

from datamap.commands.cli import script

if __name__ == "__main__":
    script("summarize")
