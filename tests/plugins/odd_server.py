"""The rubrics of the odd rewarders as a server's file has them, for servers in a process of their own."""

LENGTH_ECHO_OBEYS = """
[rubrics."length.v1"]
parts = [{ rewarder = "odd.length" }]
[rubrics."echo.v1"]
parts = [{ rewarder = "odd.echo" }]
[rubrics."obeys.v1"]
parts = [{ rewarder = "odd.obeys" }]
"""
