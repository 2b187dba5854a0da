# The first program leaves a process that holds a word and answers on an abstract socket; the second asks for it.
import socket

NAME = "\0assay-left-behind-" + FACTS["TAG"]
try:
    meeting = socket.socket(socket.AF_UNIX)
    if FACTS["STAGE"] == "plant":
        meeting.bind(NAME)
        meeting.listen()
        if os.fork() == 0:
            os.setsid()
            ctypes.CDLL(None).prctl(15, FACTS["TAG"].encode(), 0, 0, 0)
            meeting.settimeout(PATIENCE_S)
            meeting.accept()[0].sendall(FACTS["TOKEN"].encode())
            os._exit(0)
        held()
    meeting.settimeout(1)
    meeting.connect(NAME)
    broke_out(meeting.recv(200))
except OSError as error:
    held(error)
