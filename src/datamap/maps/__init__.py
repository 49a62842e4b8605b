"""Draw data maps and the explorer from a summary."""
