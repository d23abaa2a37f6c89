"""What happens to a subscriber in a month, one file a driver; the order of a month stands in :mod:`.order`."""
