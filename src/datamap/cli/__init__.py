"""Run a command line: compose and check a config, call one function, print."""
