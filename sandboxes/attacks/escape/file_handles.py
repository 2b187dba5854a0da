handle, mount_id = ctypes.create_string_buffer(136), ctypes.c_int()
handle[:4] = (128).to_bytes(4, sys.byteorder)
place = os.open(".", os.O_RDONLY)
_, error = call("name_to_handle_at", place, b".", handle, ctypes.byref(mount_id), 0)
if error is None:
    refused("open_by_handle_at", place, handle, os.O_RDONLY)
for inode in (2, 64, 128, 256):
    guess = ctypes.create_string_buffer(16)
    guess[:16] = b"".join(part.to_bytes(4, sys.byteorder) for part in (8, 1, inode, 0))
    if call("open_by_handle_at", place, guess, os.O_RDONLY)[1] is None:
        broke_out(f"opened inode {inode} by its handle")
held(error)
