ln -s "$SECRET_FILE" innocent.txt && ln -s / root
{ text=$(<innocent.txt); } 2>/dev/null && [ -n "$text" ] && broke_out "$text"
{ text=$(<"root$SECRET_FILE"); } 2>/dev/null && [ -n "$text" ] && broke_out "$text"
held
