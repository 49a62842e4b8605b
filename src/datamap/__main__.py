"""Run `python -m datamap <command> [key=value …]` like `datamap <command> …`."""

from datamap.cli.entry import main

main()
