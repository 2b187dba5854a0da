setsid bash -c "trap '' TERM HUP INT; exec -a $TAG sleep $PATIENCE_S" >/dev/null 2>&1 </dev/null &
disown -a
sleep 0.1
held "gone; whether its child is too is for the host to see"
