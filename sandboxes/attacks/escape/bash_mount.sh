mkdir -p here
mount -t tmpfs none here 2>/dev/null && { umount here; broke_out tmpfs; }
mount --bind here here 2>/dev/null && { umount here; broke_out bind; }
held
