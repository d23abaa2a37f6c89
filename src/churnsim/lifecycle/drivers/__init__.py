"""What happens to a subscriber in a month, one file a driver, in the order of :mod:`.order`."""
