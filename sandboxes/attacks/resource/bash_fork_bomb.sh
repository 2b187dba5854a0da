# Doubles until it may not, at most 256 times over.
bomb() {
    printf x >>count
    [ "$1" -gt 0 ] && { bomb $(($1 - 1)) & bomb $(($1 - 1)) & }
    sleep "$((PATIENCE < 2 ? PATIENCE : 2))"
}
{ bomb 7 & } 2>/dev/null
trap 'held "could not even wait"' EXIT # a shell that may not fork gives up
sleep 0.7
read -r -N 1000 alive <count
[ "${#alive}" -gt 150 ] && broke_out "${#alive} processes"
trap - EXIT
held "${#alive} processes"
