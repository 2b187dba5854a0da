"""What runs inside sandboxes, on both sides of a call. Never imported there: sent as source, see `scripts.py`.

Nothing here may import more than the standard library, or trust what the candidate's side sends: it is only data.
"""
