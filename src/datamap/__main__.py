"""`python -m datamap <command> [key=value …]`, the same as `datamap <command> …`."""

from datamap.cli.entry import main

main()
