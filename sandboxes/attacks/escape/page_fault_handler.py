held(refused("userfaultfd", 0))
