"""How long `env-server audit verify` takes: a ledger and an export of GRPO traffic, every record checked.

The records are made as in `ledger.py` (sixteen completions of about 1,000 characters for each prompt, three components)
and written by the service's own writer, 1,000 in a commit. The command runs as a user runs it, its start included.
Wanted: 1 million records in less than a minute on two cores. Beside it stands what reading the same rows and bodies
takes without checking anything, in one process, and the CPU time: on a machine that others share it is what can be
compared.

    python benchmarks/ledger_verify.py [--records 1000000] [--processes 2] [--export] [--keep DIR] [--json]
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from itertools import count
from pathlib import Path

from ledger import GROUP, group
from sqlalchemy import text

from env_server.ledger.entry import Entry
from env_server.ledger.laying import lay_out
from env_server.ledger.opening import open_to_read, open_to_write
from env_server.ledger.place import Place
from env_server.ledger.publishing import Publisher
from env_server.ledger.slots import CHECKPOINT_FILE, claim_slot
from env_server.ledger.tree import WriterTree

AT_ONCE = 1000


def write(place: Place, records: int) -> float:
    """Write so many records; seconds."""
    assert place.data_dir is not None, "the ledger is in a directory of this benchmark's own"
    started, rng, groups = time.perf_counter(), random.Random(7), count()
    with ExitStack() as closing:
        database, slot = open_to_write(place), claim_slot(place.data_dir)
        closing.callback(database.dispose)
        closing.callback(slot.release)
        publisher = Publisher([slot.directory / CHECKPOINT_FILE])
        tree = WriterTree(database, slot, publisher.publish)
        waiting: list[Entry] = []
        while tree.size < records:
            waiting += group(rng, tree.size // 1024, next(groups))
            if len(waiting) >= min(AT_ONCE, records - tree.size):
                tree.commit([lay_out(waiting[: records - tree.size])])
                waiting = []
        tree.sign()
        publisher.flush()
    return time.perf_counter() - started


def read(place: Place) -> float:
    """Seconds to fetch every record, detail and body and throw them away."""
    started, database = time.perf_counter(), open_to_read(place)
    with database.connect().execution_options(read_only=True, yield_per=1000) as connection:
        for table in ("records", "details", "bodies"):
            for _ in connection.execute(text(f"SELECT * FROM {table}")).partitions():
                pass
    database.dispose()
    return time.perf_counter() - started


def verify(*arguments: object) -> tuple[float, dict[str, object]]:
    """Seconds, and what the command said."""
    command = [sys.executable, "-m", "env_server", "audit", *map(str, arguments), "--json"]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - started, json.loads(done.stdout)


def measure(folder: Path, records: int, processes: int, *, export: bool) -> dict[str, object]:
    """All figures."""
    place = Place(folder / "data")
    figures: dict[str, object] = {"records": records, "processes": processes}
    figures["write_s"] = round(write(place, records), 1)
    figures["bytes_a_record"] = round(sum(one.stat().st_size for one in (folder / "data").glob("*.sqlite3*")) / records)
    figures["read_s"] = round(read(place), 1)
    taken, report = verify("verify", "--data-dir", place.data_dir, "--processes", processes)
    assert (report["records"], report["findings"]) == (records, []), report
    figures["verify_s"] = round(taken, 1)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    figures["verify_cpu_s"] = round(used.ru_utime + used.ru_stime, 1)
    figures["largest_process_mib"] = round(used.ru_maxrss / 1024)
    if export:
        figures["export_s"] = round(verify("export", folder / "export", "--data-dir", place.data_dir)[0], 1)
        size = sum(one.stat().st_size for one in (folder / "export").iterdir())
        figures["export_bytes_a_record"] = round(size / records)
        figures["verify_export_s"] = round(verify("verify", folder / "export", "--processes", processes)[0], 1)
    figures["minutes_a_million"] = round(taken / 60 * 1_000_000 / records, 2)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--export", action="store_true", help="measure an export too")
    parser.add_argument("--keep", type=Path, help="work there, and leave the ledger behind")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    assert wanted.records % GROUP == 0, f"whole groups of {GROUP}"
    with ExitStack() as closing:
        folder = wanted.keep or Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="ledger-verify-")))
        figures = measure(folder, wanted.records, wanted.processes, export=wanted.export)
    print(json.dumps(figures) if wanted.json else "\n".join(f"{name:22} {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
