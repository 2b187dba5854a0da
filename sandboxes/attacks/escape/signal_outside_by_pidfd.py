for pid in {os.getppid(), int(FACTS["BYSTANDER"])} - {0, 1}:
    pidfd, error = call("pidfd_open", pid, 0)
    if error is None and call("pidfd_send_signal", pidfd, 0, None, 0)[1] is None:
        broke_out(f"could signal {pid}")
held()
