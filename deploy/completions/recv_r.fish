# Completion of recv_r for fish: that of send_r.

complete -c recv_r -w send_r
