"""Export: see datamap.commands.export_signals, or `python src/export_signals.py --help`."""

from datamap.commands.cli import script

if __name__ == "__main__":
    script("export")
