"""Import: see datamap.commands.import_signals, or `python src/import_signals.py --help`."""

from datamap.commands.cli import script

if __name__ == "__main__":
    script("import")
