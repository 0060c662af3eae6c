"""`@tool`: a typed function becomes something that a model, an RPC caller and a shell can call."""

import asyncio
import inspect
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, cast, overload

import pydantic_core
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from toolkit.call_slots import HeldSlot
from toolkit.call_time import CallTime
from toolkit.caller import Caller
from toolkit.context import ToolContext
from toolkit.errors import (
    InvalidArguments,
    NotAllowed,
    OperationFailed,
    TimedOut,
    ToolError,
    Unavailable,
)
from toolkit.file import File
from toolkit.handoff import Handoff
from toolkit.parameters import Parameters
from toolkit.parts import Data, Result, Source, Suggestion, value_of
from toolkit.permission import Permission
from toolkit.signature import Function, signature_of

logger = logging.getLogger(__name__)

DEFAULT_TIMEOUT = 10.0
"""Seconds that a tool may take unless it says otherwise."""

ShowCall: TypeAlias = Literal["name", "arguments", "all"]
"""The visible part of a call of the model's: the tool's name; its arguments as well; its result,
too."""


Retry: TypeAlias = Literal["never", "safe"]
"""Whether a call of the model's that may have been made before a crash is made again."""


OnDuplicate: TypeAlias = Literal["allow", "reject", "replace", "confirm"]
DuplicateScope: TypeAlias = Literal["name", "name_and_args"]
"""As livekit-agents has them (llm/tool_context.py, DuplicateMode and DuplicateScope)."""

CONFIRM_DUPLICATE = "confirmDuplicate"
"""The argument by which the model confirms a second call, where `on_duplicate` is `confirm`."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function with a name, a description and a description of its parameters.

    Attributes:
        name: camelCase name on the wire.
        description: the function's docstring, for the model and for people.
        parameters: its parameters, with their JSON schema.
        function: the function itself, async or not.
        timeout: seconds that a call may take, not counting waits before it begins.
        text_argument: wire name of the argument that gets a payload of bare text, if any.
        needs_approval: the model may call it only with somebody's approval.
        approvers: who may approve a call; the person whom the model answers, unless given.
        four_eyes: of these, the person whom the model answers may not.
        allow: who may call it; everybody, unless given.
        max_calls: calls that run at a time in all rooms of the process; any number, unless given.
        rpc: clients may call it by RPC.
        confidential: only its caller may read its result.
        model: the model may call it; False: it is for callers only.
        settings: the class of its settings, if it has any.
        show: the details of the model's calls that readers of an answer see.
        retry: whether a call that was begun before, for the same message, is made again.
        on_duplicate: how a call of the model is handled while another one runs in the same
            conversation.
        duplicate_scope: whether calls with other arguments count as others.
        cancellable: the model may cancel a call that goes on in the background.
        survives: a call that goes on in the background is made again after a restart.
    """

    name: str
    description: str
    parameters: Parameters
    function: Function
    timeout: float = DEFAULT_TIMEOUT
    text_argument: str | None = None
    context_parameter: str | None = None
    needs_approval: bool = False
    approvers: Permission | None = None
    four_eyes: bool = False
    allow: Permission | None = None
    max_calls: int | None = None
    rpc: bool = True
    confidential: bool = False
    model: bool = True
    settings: type[BaseModel] | None = None
    show: ShowCall = "name"
    retry: Retry = "safe"
    on_duplicate: OnDuplicate = "allow"
    duplicate_scope: DuplicateScope = "name"
    cancellable: bool = False
    survives: bool = False

    def json_schema(self) -> dict[str, object]:
        """JSON schema of the arguments, as OpenAI function tools and form builders take it."""
        return self.parameters.json_schema()

    def allows(self, caller: Caller | None) -> bool:
        """Whether somebody may call it; a call without a caller is refused if not everybody may
        call it."""
        return self._permits(self.allow, caller)

    def may_approve(self, caller: Caller | None) -> bool:
        """Whether somebody may approve calls of it; their own RPC calls need no other approval."""
        return self._permits(self.approvers, caller)

    def parse_payload(self, payload: str) -> Mapping[str, object]:
        """Arguments out of an RPC payload or a shell word: a JSON object, or nothing for none.

        For a tool with a text argument, any other payload is that argument's text (a JSON string
        is the text that it stands for).

        Raises:
            InvalidArguments: the payload is neither.
        """
        if not payload.strip():
            return {}
        try:
            # Not json.loads: it takes NaN, and deep nesting makes it raise RecursionError.
            value = cast("object", pydantic_core.from_json(payload, allow_inf_nan=False))
        except TypeError:  # Pydantic's error for half a surrogate pair.
            raise InvalidArguments("The payload has half of a surrogate pair") from None
        except ValueError as error:
            if self.text_argument is None:
                raise InvalidArguments(f"The payload is not valid JSON: {error}") from None
            return {self.text_argument: payload}
        if isinstance(value, dict):
            return cast("dict[str, object]", value)
        if self.text_argument is not None:
            return {self.text_argument: value if isinstance(value, str) else payload}
        raise InvalidArguments("The payload must be a JSON object")

    async def call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        """Calls the tool: permission, arguments, approval, a free slot, the function; returns wire
        text.

        Text is returned as it is, anything else as compact JSON; a File is sent to the caller, and
        the text describes it. Parts in a Result are shown, and so is a part by itself, with its
        content as the text. When a call is cancelled, a function that is not async runs on in its
        thread until it returns.

        Raises:
            ToolError: the only errors that leave it, besides cancellation. Anything unforeseen is
                logged here and becomes OperationFailed.
        """
        try:
            return await self._call(arguments, context)
        except ToolError as error:
            if error.__cause__ is not None:
                # Without messages, which may quote the caller.
                cause = _kind(error.__cause__)
                logger.warning("%s failed with %d: %s", self.name, error.code, cause)
            raise
        except Exception as error:
            # The boundary between tools and their callers: any exception of a tool ends here, in
            # the log.
            logger.exception("%s failed", self.name)
            raise OperationFailed from error

    async def _call(self, arguments: Mapping[str, object], context: ToolContext) -> str:
        if not self.allows(context.caller):
            raise NotAllowed(f"This caller may not use {self.name}")
        values = self.parameters.validate(arguments)
        time = CallTime(self.timeout, context.time)
        if self.context_parameter is not None:
            values[self.context_parameter] = replace(context, time=time)
        if self.needs_approval:
            if context.approve is None:
                raise NotAllowed(f"{self.name} needs approval, and there is nobody to ask")
            await context.approve(self, arguments)
        async with self._slot(context) as time.slot:
            if self.retry == "never" and context.begin is not None:
                await context.begin()
            result = await self._run(values, time)
        result = _shown(result, context)
        if isinstance(result, File):
            if context.send_file is None:
                raise Unavailable("There is nobody here that a file could be sent to")
            result = await context.send_file(result)
        elif isinstance(result, Handoff):
            if context.hand_off is None:
                raise Unavailable("There is no conversation here that could be handed over")
            result = context.hand_off(result)
        return result if isinstance(result, str) else _to_wire(result)

    def _permits(self, permission: Permission | None, caller: Caller | None) -> bool:
        if permission is None:
            return True
        if caller is None:
            return False
        try:
            return bool(permission(caller))
        except Exception:
            # The boundary around a permission: one that fails allows nothing.
            logger.exception("permission check of %s failed; the call is denied", self.name)
            return False

    def _slot(self, context: ToolContext) -> AbstractAsyncContextManager[HeldSlot | None]:
        if self.max_calls is None:
            return nullcontext()
        return context.toolbox.slots(self.name, self.max_calls).hold(self.timeout)

    async def _run(self, values: dict[str, object], time: CallTime) -> object:
        try:
            async with time:
                if inspect.iscoroutinefunction(self.function):
                    return cast("object", await self.function(**values))
                return await asyncio.to_thread(self.function, **values)
        except TimeoutError as error:
            if time.expired:
                raise TimedOut(f"{self.name} took longer than {self.timeout:g} s") from error
            raise


@overload
def tool(function: Function, /) -> Tool: ...


@overload
def tool(
    *,
    name: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    text_argument: str | None = None,
    needs_approval: bool = False,
    approvers: Permission | None = None,
    four_eyes: bool = False,
    allow: Permission | None = None,
    max_calls: int | None = None,
    rpc: bool = True,
    confidential: bool = False,
    model: bool = True,
    settings: type[BaseModel] | None = None,
    show: ShowCall = "name",
    retry: Retry | None = None,
    on_duplicate: OnDuplicate = "allow",
    duplicate_scope: DuplicateScope = "name",
    cancellable: bool = False,
    survives: bool = False,
) -> Callable[[Function], Tool]: ...


def tool(  # noqa: PLR0913 - all options of a tool
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    text_argument: str | None = None,
    needs_approval: bool = False,
    approvers: Permission | None = None,
    four_eyes: bool = False,
    allow: Permission | None = None,
    max_calls: int | None = None,
    rpc: bool = True,
    confidential: bool = False,
    model: bool = True,
    settings: type[BaseModel] | None = None,
    show: ShowCall = "name",
    retry: Retry | None = None,
    on_duplicate: OnDuplicate = "allow",
    duplicate_scope: DuplicateScope = "name",
    cancellable: bool = False,
    survives: bool = False,
) -> Tool | Callable[[Function], Tool]:
    """Makes a `Tool` of a function with a docstring and annotated parameters.

    A parameter's description goes into its annotation: `Annotated[str, Field(description=...)]`.
    A parameter annotated `ToolContext` is given the context and is no part of the schema.

    Args:
        function: the function; async, or it runs in a thread.
        name: the wire name, unless it is the function's own in camelCase.
        timeout: seconds that a call may take.
        text_argument: the parameter that a payload of bare text stands for.
        needs_approval: ask the person whom the model answers before it runs.
        approvers: ask these participants instead, such as `role("supervisor")`; the first to decide
            counts. Implies `needs_approval`. By RPC, only they may call it.
        four_eyes: the participant for whom it is called may not approve the call, whatever their
            role. By RPC, nobody may call it.
        allow: who may call it; see toolkit.permission.
        max_calls: how many calls run at a time; others wait, within bounds.
        rpc: whether clients may call it by RPC; False: the model alone has it.
        confidential: whether its result for an RPC caller is hidden from the others in the room.
            A tool that knows only later calls `ToolContext.keep_confidential`.
        model: whether the model may call it; False: it is for callers only.
        settings: the class of its settings, which it reads as `context.settings[...]`. The worker
            reads it from the environment, and checks it at the start: see toolkit.settings.
        show: the part of the model's calls that everybody sees who sees the answer: the `name`, the
            `arguments` as well, or `all`: the result, too.
        retry: `safe`: a call of the model's may be repeated when its message is answered again,
            such as after a crash. `never`: the model learns that the call was begun, and that its
            outcome is unknown. Default: `never` if approval is needed, else `safe`.
        on_duplicate: what happens when the model calls it while a call of it runs in the same
            conversation, as in livekit-agents: `allow` both; `reject` the second one; `replace` the
            first one, which has to be cancellable; `confirm`: the model has to confirm the second
            one.
        duplicate_scope: `name_and_args`: only a call with the same arguments is a duplicate.
        cancellable: the model may cancel its calls while they go on in the background; see
            `ToolContext.background`.
        survives: a call that goes on in the background when its worker ends is made again, from its
            beginning and with the same `idempotency_key`, by the next one in the room. For tools
            with `retry="safe"` that need no approval.

    Raises:
        TypeError: the function has no docstring, or a parameter that cannot be described, or it
            is for four eyes and names no approvers, or survives and must not be made again.
    """

    def make(function: Function) -> Tool:
        function_name = getattr(function, "__name__", "tool")
        description = inspect.getdoc(function)
        if not description:
            raise TypeError(f"{function_name}: a tool needs a docstring, its description")
        if four_eyes and approvers is None:
            raise TypeError(f"{function_name}: four_eyes needs approvers")
        if survives and (needs_approval or approvers is not None or retry == "never"):
            raise TypeError(f"{function_name}: survives is for calls that are safe to make again")
        signature = signature_of(function)
        parameters = signature.parameters
        if text_argument is not None and text_argument not in parameters.model.model_fields:
            raise TypeError(f"{function_name}: text_argument names no parameter: {text_argument}")
        return Tool(
            name=name or to_camel(function_name),
            description=description,
            parameters=parameters,
            function=function,
            timeout=timeout,
            text_argument=to_camel(text_argument) if text_argument else None,
            context_parameter=signature.context_parameter,
            needs_approval=needs_approval or approvers is not None,
            approvers=approvers,
            four_eyes=four_eyes,
            allow=allow,
            max_calls=max_calls,
            rpc=rpc and not four_eyes,
            confidential=confidential,
            model=model,
            settings=settings,
            show=show,
            retry=retry or ("never" if needs_approval or approvers is not None else "safe"),
            on_duplicate=on_duplicate,
            duplicate_scope=duplicate_scope,
            cancellable=cancellable,
            survives=survives,
        )

    return make if function is None else make(function)


def _shown(result: object, context: ToolContext) -> object:
    """The caller's part of a result; parts that came with it are shown."""
    if isinstance(result, Result):
        for part in result.parts:
            context.show(part)
        return result.value
    if isinstance(result, Source | Data | Suggestion):
        context.show(result)
        return value_of(result)
    return result


def _to_wire(result: object) -> str:
    return pydantic_core.to_json(result, inf_nan_mode="null").decode()


def _kind(cause: BaseException) -> str:
    """An exception's type, and what the system says about it."""
    said = cause.strerror if isinstance(cause, OSError) else None
    return f"{type(cause).__name__}: {said}" if said else type(cause).__name__
