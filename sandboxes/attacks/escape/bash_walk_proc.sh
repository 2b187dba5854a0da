count=0
for folder in /proc/[0-9]*; do [ -e "$folder" ] && count=$((count + 1)); done
[ "$count" -gt 8 ] && broke_out "$count processes"
held "$count"
