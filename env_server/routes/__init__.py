"""Thin handlers: read, call, return."""
