"""The contact centre: orders in, contact log out; knows no policy."""
