for path in "$SECRET_FILE" "$SECRET_HOME"/.ssh/* ~/.ssh/* /root/.ssh/* /home/*/.ssh/*; do
    { text=$(<"$path"); } 2>/dev/null && [ -n "$text" ] && broke_out "$path"
done
held
