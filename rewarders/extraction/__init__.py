"""How `rewarders.text` finds a final answer: boxes, marks and labels, and prose. Each finder is a bounded scan."""
