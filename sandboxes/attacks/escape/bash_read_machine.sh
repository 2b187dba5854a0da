for path in /etc/passwd /etc/shadow /etc/hosts /etc/machine-id; do
    if { text=$(<"$path"); } 2>/dev/null && [ -n "$text" ] && [ "$path" != /etc/hosts ]; then broke_out "$path"; fi
done
held
