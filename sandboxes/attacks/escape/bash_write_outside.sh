{ echo here >"$MARK"; } 2>/dev/null
{ echo here >"../../../../../../../../..$MARK"; } 2>/dev/null
held "whether it was written is for the host to see"
