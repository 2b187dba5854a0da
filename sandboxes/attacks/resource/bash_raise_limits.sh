for letter in n u v f t c; do
    hard=$(ulimit -H -$letter)
    [ "$hard" != unlimited ] && ulimit -H -$letter $((hard + 1)) 2>/dev/null && broke_out "ulimit -$letter"
done
held
