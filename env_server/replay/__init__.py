"""Recorded rewards computed again, and what comes of comparing them."""
