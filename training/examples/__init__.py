"""Programs that show what the library is good for."""
