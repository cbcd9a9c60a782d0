"""P(z | grey image), and how results are chosen from it."""
