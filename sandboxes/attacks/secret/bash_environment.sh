while IFS= read -r line; do printf '%s\n' "$line"; done < <(env)
for file in /proc/1/environ /proc/$PPID/environ /proc/self/environ; do { tr '\0' '\n' <"$file"; } 2>/dev/null; done
held "printed; whether any of it is ours is for the host to see"
