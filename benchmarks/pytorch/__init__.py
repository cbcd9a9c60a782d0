"""The published network in PyTorch, for comparisons."""
