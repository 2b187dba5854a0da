"""`python -m env_server`."""

from env_server.cli import main

main()
