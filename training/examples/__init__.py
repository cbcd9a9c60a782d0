"""Examples: programs that use the library for a purpose."""
