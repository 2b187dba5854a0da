"""The ledger of record: every reward that was answered, hash-linked, in the order it was given."""
