"""Find wrong labels: score, count and explain them, and make a better training file."""
