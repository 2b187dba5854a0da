# `int 0x80` takes the numbers of another architecture, which a filter that looks at numbers alone would misread.
import mmap

if platform.machine() != "x86_64":
    held("no such thing here")
UNSHARE_32, NEWUSER = 310, 0x10000000
code = b"\x53\xb8" + UNSHARE_32.to_bytes(4, "little") + b"\xbb" + NEWUSER.to_bytes(4, "little") + b"\xcd\x80\x5b\xc3"
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(code)
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
value = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
broke_out("a user namespace through int 0x80") if value == 0 else held(errno.errorcode.get(-value, value))
