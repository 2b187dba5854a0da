"""Tasks: read from wherever they are, kept apart from the held-out ones, and handed out in an order that only the seed
decides.
"""

from trainer.data.jsonl import Conversation, read_rows
from trainer.data.order import TaskOrder, indices_for_step
from trainer.data.separation import prompt_digest
from trainer.data.task_set import TaskSet, load_task_set, write_tasks

__all__ = [
    "Conversation",
    "TaskOrder",
    "TaskSet",
    "indices_for_step",
    "load_task_set",
    "prompt_digest",
    "read_rows",
    "write_tasks",
]
