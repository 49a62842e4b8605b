"""Upload: see datamap.cli.commands, or `python src/upload.py --help`."""

from datamap.cli.entry import script

if __name__ == "__main__":
    script("upload")
