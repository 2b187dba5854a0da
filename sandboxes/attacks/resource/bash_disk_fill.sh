head -c 209715200 /dev/zero >large 2>/dev/null
size=$(stat -c %s large 2>/dev/null || echo 0)
[ "$size" -ge 104857600 ] && broke_out "$size bytes"
held "$size bytes"
