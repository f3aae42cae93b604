"""Greets when asked, asks others to greet, and notes what changes in the scope `news`."""

import os
import threading

from iii import InitOptions, register_worker
from iii_helpers.observability import ReconnectionConfig

name = os.environ["WORKER_NAME"]
iii = register_worker(
    os.environ["III_URL"],
    InitOptions(
        worker_name=name,
        reconnection_config=ReconnectionConfig(
            initial_delay_ms=100, max_delay_ms=300, backoff_multiplier=1, jitter_factor=0
        ),
    ),
)
noted = []


def greet(data):
    return f"hello {data['from']}, this is {name}"


def ask(data):
    return iii.trigger({"function_id": f"greet::{data['whom']}", "payload": {"from": name}})


def note(event):
    noted.append(event["new_value"])


iii.register_function(f"greet::{name}", greet)
iii.register_function(f"ask::{name}", ask)
iii.register_function(f"note::{name}", note)
iii.register_function(f"noted::{name}", lambda _: noted)
iii.register_trigger({"type": "state", "function_id": f"note::{name}", "config": {"scope": "news"}})
# Once this is answered, what was registered before it has been read, here and at the engine behind.
iii.trigger({"function_id": "state::get", "payload": {"scope": "is", "key": "anybody there"}})
print("ready", flush=True)
threading.Event().wait()
