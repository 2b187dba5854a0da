[ "$PPID" -gt 1 ] && kill -0 "$PPID" 2>/dev/null && broke_out "parent $PPID"
kill -0 "$BYSTANDER" 2>/dev/null && broke_out "process $BYSTANDER"
held
