"""The mixture P(z | grey), and the choice of results from it."""
