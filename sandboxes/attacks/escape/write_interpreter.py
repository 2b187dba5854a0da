import json

opened = []
for path in (json.__file__, os.__file__, os.path.realpath(sys.executable), "/usr/bin/env", "/bin/sh", "/etc/passwd"):
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
        opened.append(path)
    except (OSError, TypeError):
        pass
broke_out(opened) if opened else held()
