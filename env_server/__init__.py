"""The reward service: verdicts over HTTP, combined, explained and recorded."""
