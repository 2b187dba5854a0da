"""How an older ledger becomes one of this schema. Run when a writer opens it."""
