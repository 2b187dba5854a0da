held(refused("pivot_root", b".", b"."))
