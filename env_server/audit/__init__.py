"""Auditing a ledger without its server: verify, prove, show, export, seal, erase."""
