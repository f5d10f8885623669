"""Small changes to the very lines of a function, such as mutmut makes.

`mutants(function)` yields (what was changed, the changed function). Docstrings, annotations,
the messages of errors and the names of keyword arguments are left as they are.
"""

import ast
import copy
import inspect
import textwrap

SWAPS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.MatMult: ast.Mult, ast.Pow: ast.Mult, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


def mutants(function, cls=None):
    """(description, mutated function) for each single change; cls: for a method's super()."""
    for line, change, mutated in changes(tree_of(function)):
        yield f"{function.__qualname__}, line {line}: {change}", remade(function, cls, mutated)


def tree_of(function):
    return ast.parse(textwrap.dedent(inspect.getsource(function)))


def remade(function, cls=None, tree=None):
    """The function that a tree defines, by default its own, in the place of another one.

    It is defined in a function with a variable `__class__`, which is where super() looks.
    """
    name, space = function.__name__, dict(function.__globals__)
    outer = ast.parse(f"def outer(__class__):\n    return {name}")
    outer.body[0].body.insert(0, (tree or tree_of(function)).body[0])
    ast.fix_missing_locations(outer)
    exec(compile(outer, f"<mutant of {function.__qualname__}>", "exec"), space)
    return space["outer"](cls)


def changes(tree):
    """(line, description, a copy of the tree with one change)."""
    body = tree.body[0].body
    first = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    statements = [node for top in body[first:] for node in ast.walk(top)]
    raised = {
        id(n) for node in statements if isinstance(node, ast.Raise) for n in ast.walk(node)
    }
    for node in statements:
        if id(node) not in raised:
            for _, edit in edits(node):
                old = copy.copy(vars(node))
                before = ast.unparse(node)
                edit(node)
                mutated = copy.deepcopy(tree)
                after = ast.unparse(node)
                vars(node).clear()
                vars(node).update(old)
                yield (
                    node.lineno if hasattr(node, "lineno") else 0,
                    f"{before} → {after}",
                    mutated,
                )


def edits(node):
    """(name, a function that changes the node) for each change of one node."""
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in SWAPS:
        yield "operator", lambda n: setattr(n, "op", SWAPS[type(n.op)]())
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.MatMult, ast.Sub, ast.Div)):
        yield "order", lambda n: vars(n).update(left=n.right, right=n.left)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        yield "comparison", lambda n: setattr(n, "ops", [SWAPS[type(n.ops[0])]()])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign", lambda n: setattr(n, "op", ast.UAdd())
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield "number", lambda n: setattr(n, "value", n.value + 1)
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        yield "truth", lambda n: setattr(n, "value", not n.value)
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield "transposed", lambda n: setattr(n, "attr", "real")
    if isinstance(node, ast.Call):
        for i in range(len(node.args) - 1):
            yield "arguments", lambda n, i=i: setattr(n, "args", swapped(n.args, i))
        for i in range(len(node.keywords)):
            yield "keyword", lambda n, i=i: setattr(n, "keywords", without(n.keywords, i))
    if isinstance(node, ast.Assign) and not isinstance(node.value, ast.Constant):
        yield "lost", lambda n: setattr(n, "value", ast.Constant(None))
    if isinstance(node, ast.IfExp):
        yield "branches", lambda n: vars(n).update(body=n.orelse, orelse=n.body)
    if isinstance(node, ast.If):
        yield "condition", lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), n.test))
    if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
        for i in range(len(node.value.elts) - 1):
            yield (
                "results",
                lambda n, i=i: setattr(
                    n, "value", ast.Tuple(swapped(n.value.elts, i), ast.Load())
                ),
            )


def swapped(items, i):
    return [*items[:i], items[i + 1], items[i], *items[i + 2 :]]


def without(items, i):
    return [*items[:i], *items[i + 1 :]]
