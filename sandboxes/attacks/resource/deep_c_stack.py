# Nothing of Python's own counts these levels.
value = "x"
for _ in range(300_000):
    value = (value,)
try:
    hash(value)
    held("it had room for it")
except (RecursionError, MemoryError) as error:
    held(type(error).__name__)
