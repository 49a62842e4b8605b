"""The command line: one module per command. Imports every other package; none imports it."""
