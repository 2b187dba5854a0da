trap '' TERM HUP INT QUIT XCPU ALRM USR1 USR2 PIPE
SECONDS=0
while [ "$SECONDS" -lt "$PATIENCE" ]; do :; done
broke_out "went on for $PATIENCE s"
