"""Find wrong labels: score them, count them, explain them, and make a better training file."""
