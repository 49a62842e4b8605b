"""Plot: see datamap.commands.plot, or `python src/plot.py --help`."""

from datamap.commands.cli import script

if __name__ == "__main__":
    script("plot")
