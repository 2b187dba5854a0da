"""Other trainers' protocols. Of each, this service speaks what its client sends and says what its client can hear.

`openrlhf`, `slime` and `nemo_gym` are routes of the service; `verl` and `trl` are functions that run in the trainer and
ask it. A fault never becomes a 0: what becomes of it instead is in docs/dialects.md.
"""
