import re

end = time.monotonic() + PATIENCE_S
while time.monotonic() < end:
    re.match("(a+)+$", "a" * 24 + "b")
outlived()
