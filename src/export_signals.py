"""Export: see datamap.cli.commands, or `python src/export_signals.py --help`."""

from datamap.cli.entry import script

if __name__ == "__main__":
    script("export")
