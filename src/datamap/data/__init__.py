"""Read labeled texts from files."""
