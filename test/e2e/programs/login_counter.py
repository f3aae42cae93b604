"""Counts logins with an atomic update, so that two at once both count."""

import os
import threading

from iii import InitOptions, register_worker

iii = register_worker(os.environ["III_URL"], InitOptions(worker_name=os.environ["WORKER_NAME"]))


def record_login(login):
    iii.trigger({
        "function_id": "state::update",
        "payload": {
            "scope": "logins",
            "key": login["userId"],
            "ops": [
                {"type": "increment", "path": "loginCount", "by": 1},
                {"type": "set", "path": "lastLogin", "value": login["at"]},
            ],
        },
    })
    return {"recorded": True}


iii.register_function("users::record-login", record_login, description="Counts a login")
# Once this is answered, what was registered before it has been read, here and at the engine behind.
iii.trigger({"function_id": "state::get", "payload": {"scope": "is", "key": "anybody there"}})
print("ready", flush=True)
threading.Event().wait()
