"""Loaded by schemathesis.toml: what a valid request may not hold, and no schema can say."""

import os
from decimal import Decimal

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or not case.meta.generation.mode.is_positive or not isinstance(case.body, dict):
        return
    case.body = {name: exact(value) for name, value in case.body.items()}
    # The origin of a callback must be one that the gateway allows (CALLBACK_ALLOWED_ORIGINS), which is a setting.
    for name in ("callbackUrl", "callback_url"):
        if isinstance(case.body.get(name), str):
            case.body[name] = os.environ["CALLBACK_ORIGIN"] + "/callbacks"
    # What a fleet's table knows of them depends on its age (ghosthands §9), and the gateway says so with 422.
    for name in ("executionMode", "execution_mode"):
        if name in case.body:
            case.body[name] = "auto"


def exact(value):
    """JSON has whole numbers that no double holds; they are refused, not rounded (src/domain/exact-json.ts)."""
    if isinstance(value, int) and not isinstance(value, bool) and Decimal(repr(float(str(value)))) != value:
        return str(value)
    if isinstance(value, list):
        return [exact(item) for item in value]
    if isinstance(value, dict):
        return {name: exact(item) for name, item in value.items()}
    return value
