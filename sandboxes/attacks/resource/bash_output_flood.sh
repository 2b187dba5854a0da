head -c 104857600 /dev/zero
printf '\n'
broke_out "100 MiB written"
