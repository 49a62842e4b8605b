"""Read foreign files of signals."""
