"""Upload: see datamap.commands.upload, or `python src/upload.py --help`."""

from datamap.commands.cli import script

if __name__ == "__main__":
    script("upload")
