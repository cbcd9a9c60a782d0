"""TensorFlow graphs: traced once, and stored for later programs."""
