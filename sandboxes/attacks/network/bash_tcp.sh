{ exec 7<>"/dev/tcp/127.0.0.1/$TCP_PORT"; } 2>/dev/null && broke_out "connected"
held
