"""Data: the cases of the built-in rewarders, `NAME.jsonl`, and what no rewarder may accept, `never_accept.jsonl`."""
