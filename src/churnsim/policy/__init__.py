"""Who gets which offer by which channel."""
