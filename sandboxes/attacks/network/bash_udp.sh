{ exec 7>"/dev/udp/127.0.0.1/$UDP_PORT" && echo probe >&7; } 2>/dev/null && broke_out "sent"
held
