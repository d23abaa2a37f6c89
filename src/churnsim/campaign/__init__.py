"""The month protocol, worlds and the pilot."""
