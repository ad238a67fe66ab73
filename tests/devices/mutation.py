"""Faults of the package on purpose: one of the calls of a function is left out."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any


def without(function: Callable[..., Any], call: str) -> Callable[..., Any]:
    """A function whose first call of a method, or of a function around a value, is left out.

    ``x.to(device)`` becomes ``x``, and so does ``to_device(x, device)``.

    Args:
        function: of the package.
        call: name of the method or function.
    """
    function = inspect.unwrap(function)
    leaving = _LeaveOut(call)
    tree = leaving.visit(ast.parse(textwrap.dedent(inspect.getsource(function))))
    assert leaving.found, f"{function.__qualname__} calls no {call}"
    code = compile(ast.fix_missing_locations(tree), inspect.getfile(function), "exec")
    scope: dict[str, Any] = {}
    exec(code, function.__globals__, scope)
    made: Callable[..., Any] = scope[function.__name__]
    return made


class _LeaveOut(ast.NodeTransformer):
    def __init__(self, call: str) -> None:
        self._call = call
        self.found = False

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        if self.found or name != self._call:
            return self.generic_visit(node)
        self.found = True
        return node.func.value if isinstance(node.func, ast.Attribute) else node.args[0]
