"""What runs between the server and a hostile program. Standard library only, and nothing of it is ever imported by the
program itself.

warden    one process; holds every request, drains output, keeps clocks, kills; talks to the server in frames
zygote    one process a policy; a warm interpreter that forks keepers and never sees a request
keeper    one process a sandbox, pid 1 of its namespaces; forks the program for each run, and clears up after it
child     the program's own process, from the fork to its first instruction
container the warden of a container; alone is how it does with a kernel that cannot keep two keepers apart
"""
