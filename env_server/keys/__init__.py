"""Keys of the service's API: what they are, where they are kept, and who is let in by them."""
