"""Effects learned from a pilot."""
