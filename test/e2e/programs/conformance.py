"""Does with the SDK whatever it can do, and tells how that went through functions that a test calls."""

import os
import threading

from iii import InitOptions, InvocationError, TriggerAction, register_worker
from iii.trigger import TriggerHandler

iii = register_worker(os.environ["III_URL"], InitOptions(worker_name=os.environ["WORKER_NAME"]))


def call(function_id, payload, **more):
    return iii.trigger({"function_id": function_id, "payload": payload, **more})


# All six state functions, in a row.
def use_state(_):
    place = {"scope": "notes", "key": "a"}
    ops = [{"type": "increment", "path": "n", "by": 41}, {"type": "set", "path": "__proto__", "value": 1}]
    return [
        call("state::set", {**place, "value": {"n": 1}}),
        call("state::update", {**place, "ops": ops}),
        call("state::get", place),
        call("state::list", {"scope": "notes"}),
        call("state::list_groups", {}),
        call("state::delete", place),
        call("state::get", place),
    ]


def get_refused(request):
    try:
        return call(request["function_id"], request["payload"])
    except InvocationError as refusal:
        return {"refused": refusal.code}


# Calls to others, waiting and not, with metadata beside the payload. Asynchronous, because 0.22.1 does not take
# its trace along to the thread of a synchronous handler.
async def ask(request):
    return await iii.trigger_async({
        "function_id": request["function_id"],
        "payload": request["payload"],
        "metadata": {"from": "python"},
    })


def tell(request):
    call(request["function_id"], request["payload"], action=TriggerAction.Void())


def give_back(data, metadata=None):
    return {"data": data, "metadata": metadata}


# Changes of state that a condition lets through, with the trigger's metadata.
heard = []


def is_big(event):
    return event["new_value"] >= 10


def hear(event, metadata=None):
    heard.append({"value": event["new_value"], "metadata": metadata})


# A trigger type of its own, and a trigger of another worker's type.
bound = {}
rung = []


class Bell(TriggerHandler):
    async def register_trigger(self, config):
        bound[config.id] = config.function_id

    async def unregister_trigger(self, config):
        bound.pop(config.id, None)


def ring(data):
    for function_id in list(bound.values()):
        call(function_id, data, action=TriggerAction.Void())


def on_bell(data):
    rung.append(data["hour"])


# Data channels.
async def drink(data):
    messages = []
    data["reader"].on_message(messages.append)
    return {"bytes": len(await data["reader"].read_all()), "messages": messages}


async def pour(data):
    await data["writer"].send_message_async("cheers")
    await data["writer"].write(b"tea" * 50_000)
    await data["writer"].close_async()


iii.register_trigger_type({"id": "py::bell", "description": "Rings when it is told to"}, Bell())
for function_id, handler in {
    "py::use-state": use_state,
    "py::get-refused": get_refused,
    "py::ask": ask,
    "py::tell": tell,
    "py::give-back": give_back,
    "py::is-big": is_big,
    "py::hear": hear,
    "py::heard": lambda _: heard,
    "py::ring": ring,
    "py::bound": lambda _: list(bound.values()),
    "py::on-bell": on_bell,
    "py::rung": lambda _: rung,
    "py::drink": drink,
    "py::pour": pour,
}.items():
    iii.register_function(function_id, handler)
iii.register_trigger({
    "type": "state",
    "function_id": "py::hear",
    "config": {"scope": "sizes", "condition_function_id": "py::is-big"},
    "metadata": {"trigger": "sizes"},
})
iii.register_trigger({"type": "node::bell", "function_id": "py::on-bell", "config": {"hours": "all"}})
# Once this is answered, what was registered before it has been read, here and at the engine behind.
call("state::get", {"scope": "is", "key": "anybody there"})
print("ready", flush=True)
threading.Event().wait()
