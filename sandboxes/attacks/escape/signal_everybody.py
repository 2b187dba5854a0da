# Does the deed only where it cannot reach us: on a machine without a sandbox it would end everything.
import signal

try:
    os.kill(int(FACTS["BYSTANDER"]), 0)
    broke_out("could signal a process of the machine")
except OSError:
    pass
for number in (signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL):
    try:
        os.kill(-1, number)
    except OSError:
        pass
held("sent; whether a neighbour lives is for the host to see")
