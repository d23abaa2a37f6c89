"""What happens to a subscriber in a month, one file a driver; :mod:`churnsim.lifecycle.default` lists them."""
