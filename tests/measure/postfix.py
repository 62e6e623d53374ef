"""Measure a service while a real Postfix refuses it at RCPT, and after Postfix is corrected.

    python -m tests.measure.postfix [--jobs 100] [--json FILE]

Needs Debian's package `postfix`, and root, because its master starts as root only. Its
configuration, queue and spool are in a temporary folder; it listens on 127.0.0.1 and discards the
mails that it accepts. A Postfix that is installed on the machine is not touched.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from tests.measure.delivery import Figures, a_temporary_folder, run_metadata
from tests.support.ports import free_port
from tests.support.probes import probe_http
from tests.support.service_process import a_meet, environment, running_service, scheduler_stub
from tests.support.stores import own_mongod, own_valkey
from tests.support.wait import until

PROGRAMS = Path("/usr/lib/postfix/sbin")
MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = {programs}
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.test
mydestination =
mynetworks = 127.0.0.0/8
local_recipient_maps =
alias_maps =
alias_database =
default_transport = discard
relay_transport = discard
maillog_file = {folder}/log/mail.log
maillog_file_prefixes = {folder}
smtpd_peername_lookup = no
smtpd_helo_required = yes
smtpd_client_connection_count_limit = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 2000
"""
MASTER_CF = """
{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
discard unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
# smtpd_delay_reject is on by default: Postfix sends all these refusals at RCPT.
REFUSALS = {
    "sender": "smtpd_sender_restrictions = reject_unlisted_sender, "
    "check_sender_access inline:{{no-reply@example.org=REJECT}}",
    "helo": "smtpd_helo_restrictions = check_helo_access regexp:{folder}/helo",
    "client": "smtpd_client_restrictions = check_client_access inline:{{127.0.0.1=REJECT}}",
    "relaying": "mynetworks =",
    "one_recipient": "smtpd_recipient_restrictions = check_recipient_access"
    " regexp:{folder}/one, permit_mynetworks, reject",
    "unknown_words": "smtpd_recipient_restrictions = check_recipient_access"
    " regexp:{folder}/all, reject",
}


@dataclass(frozen=True, kw_only=True)
class Postfix:
    folder: Path
    port: int

    def configure(self, more: str = "") -> None:
        text = MAIN_CF.format(folder=self.folder, programs=PROGRAMS)
        (self.folder / "etc/main.cf").write_text(text + more.format(folder=self.folder) + "\n")

    def command(self, *words: str) -> None:
        command = ["/usr/sbin/postfix", "-c", str(self.folder / "etc"), *words]
        subprocess.run(command, check=True, capture_output=True, timeout=30)

    def count_accepted(self) -> int:
        """Count the mails that it accepted and discarded."""
        log = (self.folder / "log/mail.log").read_text()
        return len(re.findall(r"status=sent", log))


@contextmanager
def a_postfix(folder: Path, refusal: str) -> Iterator[Postfix]:
    folder.chmod(0o755)  # Postfix's daemons run as other users
    for name in ("etc", "queue", "data", "log"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    postfix = Postfix(folder=folder, port=free_port())
    (folder / "etc/master.cf").write_text(MASTER_CF.format(port=f"127.0.0.1:{postfix.port}"))
    (folder / "helo").write_text("/^/ 504 5.5.2 need fully-qualified hostname\n")
    (folder / "one").write_text("/^r7@d7/ 550 5.1.1 no such user\n")
    (folder / "all").write_text("/^/ 550 5.6.99 the moon is in the wrong house\n")
    postfix.configure(refusal)
    postfix.command("start")
    try:
        yield postfix
    finally:
        postfix.command("stop")


async def measure(folder: Path, refusal: str, count: int) -> Figures:
    """Schedule *count* mails while Postfix refuses, correct it, and wait for final states."""
    with a_postfix(folder / "postfix", REFUSALS[refusal]) as postfix:
        async with own_mongod(folder) as mongod, own_valkey(folder) as valkey:
            settings = environment(mongo=mongod.uri, redis=valkey.uri, relay_port=postfix.port)
            with MongoClient[dict[str, Any]](mongod.uri) as raw:
                jobs = raw.get_default_database()["jobs"]

                def states() -> Counter[str]:
                    return Counter(job["state"] for job in jobs.find())

                async with (
                    running_service(folder, settings) as running,
                    scheduler_stub(running.target) as stub,
                ):
                    for number in range(count):
                        email = f"r{number}@d{number}.example.com"
                        await stub.ScheduleMeet(a_meet(number, emailID=email), timeout=5)
                    figures = await measure_recovery(postfix, running.http, states, refusal)
                    await running.stop()
    return figures | {"asked": count, "accepted_by_postfix": postfix.count_accepted()}


async def measure_recovery(postfix: Postfix, http: str, states: Any, refusal: str) -> Figures:
    if refusal == "one_recipient":
        await until(lambda: set(states()) <= {"SENT", "FAILED"}, within=60)
        return {"states": dict(states())}
    async with probe_http(http) as probe:

        async def read_degraded() -> str:
            _, ready = await probe.get_readiness()
            status = str(ready["dependencies"][f"relay 127.0.0.1:{postfix.port}"])
            return status if status.startswith("down") else ""

        shown = await until(read_degraded, within=60)
        await asyncio.sleep(10)  # long enough for several probes
        before = dict(states())
        postfix.configure()
        postfix.command("reload")
        await until(lambda: set(states()) <= {"SENT", "FAILED"}, within=120)
    return {"readyz": shown, "states_while_refusing": before, "states": dict(states())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("refusals", nargs="*", metavar="REFUSAL", default=list(REFUSALS))
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not (PROGRAMS / "master").exists() or os.geteuid() != 0:
        sys.exit("Postfix or root is missing: install Debian's package postfix and run as root")
    command = " ".join(["python -m tests.measure.postfix", *sys.argv[1:]])
    seen: Figures = {"surroundings": {**run_metadata(), "command": command}}
    for refusal in options.refusals:
        with a_temporary_folder() as folder:
            (folder / "postfix").mkdir()
            folder.chmod(0o755)
            seen[refusal] = asyncio.run(measure(folder, refusal, options.jobs))
        print(refusal, json.dumps(seen[refusal]), flush=True)
        if options.json:
            options.json.write_text(json.dumps(seen, indent=1) + "\n")


if __name__ == "__main__":
    main()
