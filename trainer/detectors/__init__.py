"""Alarms at training time: what a run does when the reward goes up for the wrong reason.

`watch.Watch` asks every detector once a step. Those of `duplicates`, `signatures` and `shortcut` read the rollouts
before anything is learnt from them, so that they can name them; those of `trends` read the logged figures afterwards.
All that one remembers is on disk, in `metrics.jsonl` and `evidence.jsonl`, so a run that is killed and resumed raises
the same alarms at the same steps.
"""
