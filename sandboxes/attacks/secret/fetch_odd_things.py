# None of these is a plain file that can be read to its end.
import socket

os.mkdir("out")
os.chdir("out")
for make in (lambda: os.mkfifo("pipe"), lambda: socket.socket(socket.AF_UNIX).bind("socket")):
    try:
        make()
    except OSError:
        pass
for name, target in (("zero", "/dev/zero"), ("random", "/dev/urandom"), ("stdin", "/proc/self/fd/0"), ("loop", "loop")):
    os.symlink(target, name)
for name in (b"\xff\xfe", b"new\nline", b"..hidden", b"-rf", b"a" * 255):
    os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
held("asked for; whether it came is for the host to see")
