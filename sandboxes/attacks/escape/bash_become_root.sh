for command in "sudo -n id -u" "su -c id" "pkexec id -u" "unshare -r id -u" "nsenter -t 1 -m id -u" "chroot . id -u"; do
    [ "$($command 2>/dev/null </dev/null)" = 0 ] && broke_out "$command"
done
held
