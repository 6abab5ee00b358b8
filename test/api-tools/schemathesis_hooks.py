"""Loaded by schemathesis.toml."""

import os

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    """The origin of a callback must be one that the gateway allows (CALLBACK_ALLOWED_ORIGINS), which is a setting and no matter of the schema."""
    if case.meta is None or not case.meta.generation.mode.is_positive or not isinstance(case.body, dict):
        return
    for name in ("callbackUrl", "callback_url"):
        if isinstance(case.body.get(name), str):
            case.body[name] = os.environ["CALLBACK_ORIGIN"] + "/callbacks"
