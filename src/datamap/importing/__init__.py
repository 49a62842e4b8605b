"""Read signals from files of other programs."""
