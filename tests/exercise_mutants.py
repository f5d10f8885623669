"""Wrong answers to every exercise, and whether the check rejects them.

Most are mutants: the library's own answer with one change, such as a student makes. The others
are typical errors that no small change makes. On its own,

    python tests/exercise_mutants.py [NAME ...]

tries them all and tells what became of them.
"""

import ast
import contextlib
import copy
import functools
import sys
import time
from collections import Counter

from minigan.lab.exercises import answer, check, child, source
from minigan.lab.exercises.bugs import BUGS, Bug
from minigan.lab.exercises.table import EXERCISES, Exercise, find

BINARY = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
    ast.Pow: (ast.Mult,),
}
COMPARED = {
    ast.Gt: (ast.Lt, ast.GtE),
    ast.Lt: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.Is: (ast.IsNot,),
}
NUMBERS = {"clip", "lr", "a", "b", "c", "real_label", "momentum", "rho", "eps", "slope"}
NUMBERS |= {"beta1", "beta2", "ema_decay", "gamma"}
PARTS = (
    "tuple(-part for part in {})",
    "tuple(2 * part for part in {})",
    "tuple(part / 2 for part in {})",
    "({0}[0], 0 * {0}[1])",
    "(0 * {0}[0], {0}[1])",
    "{0}[::-1]",
    "{0}[0]",
)

# Wrong answers that are right: the function, what tells the change, and why it changes nothing.
EQUIVALENT = (
    (
        "layers.LeakyReLU.slopes",
        "x = xp.real(x)",
        "NumPy compares complex numbers by real part",
    ),
    (
        "layers.LeakyReLU.slopes",
        "-> (xp.maximum(self.slope, xp.astype(",
        "a maximum of the same",
    ),
    (
        "layers.LeakyReLU.dx",
        "[27] x -> (y)",
        "y has the sign of x, and is 0 or less where x is",
    ),
    ("layers.LeakyReLU.tangent", "[26] x -> (y)", "the same"),
    ("layers.LeakyReLU.tangent", "[29] y -> ", "dx does not use y"),
    ("layers.sigmoid", "-> (np.errstate())", "the warning alone; infinity is meant"),
    ("layers.Sigmoid.tangent", "[26] x -> ", "dx does not use x"),
    ("losses.least_squares", "s - t -> (-(s - t))", "it is squared"),
    ("losses.bce_with_logits", "xp.real(s) > 0 -> (xp.real(s) >= 0)", "both forms agree at 0"),
    ("losses.bce_with_logits", "xp.real(s) -> (s)", "complex numbers compare by real part"),
    (
        "losses.bce_with_logits",
        "positive = xp.real(s) > 0 [28] 0 -> (1)",
        "both agree at 0 to 1",
    ),
    (
        "network.Network.accumulate",
        "[None] * len(trace) -> (2 * (",
        "zip stops at the shortest",
    ),
    ("network.Network.accumulate", "len(trace) [44] trace -> (deltas)", "as many"),
    (
        "network.Network.accumulate",
        "-> (self.theta)",
        "a theta without entries is its own zero",
    ),
    ("network.Network.accumulate", "[42] 1 -> (2)", "NumPy reads any negative size as -1"),
    (
        "game.Game.update",
        "stop=self.stop -> (self.D.deltas(trace, xp.ones_like(trace[-1])))",
        "one delta more, which nobody needs",
    ),
    ("cgan.Conditional.condition", "-> (xp.arange(self.n_classes))", "NumPy has one device"),
    ("cgan.Conditional.G_input", "axis=1) [57] 1 -> (-1)", "the last axis of two"),
    ("cgan.Conditional.D_input", "axis=1) [57] 1 -> (-1)", "the last axis of two"),
    ("wgan.WGAN.critic_steps", "-> (max(self.n_critic, 100))", "a maximum of the same"),
    ("wgan.WGAN.critic_steps", "[56] 500 -> (-500)", "the same remainders are 0"),
    ("penalty.gradient_penalty", "[34] 1 -> (-1)", "the last axis of two"),
    ("penalty.gradient_penalty", "[68] 1.0 -> (2.0)", "it divides a g that is 0"),
    ("penalty.gradient_penalty", "[68] 1.0 -> (-1.0)", "it divides a g that is 0"),
    ("penalty.gradient_penalty", "xp.real(excess) > 0 -> (xp.real(excess) >= 0)", "0 is 0"),
    ("penalty.gradient_penalty", "xp.real(excess) -> (excess)", "compared by real part"),
    (
        "penalty.three_passes",
        "the answer tuple(-part for part in (D.deltas(",
        "-g has the same penalty as g",
    ),
    (
        "r3gan.R3GAN.D_gradient",
        "widen(u, deltas[0])) [51] deltas -> (trace)",
        "the shape alone",
    ),
    ("penalty.WGANGP.penalty", "+ (1 - eps) * x_fake, c))[::-1]", "a mean over the same rows"),
    ("penalty.WGANGP.penalty", "-> (rng.random((x.shape[0], 1), self", "NumPy, float64"),
    ("penalty.WGANGP.penalty", "[39] x -> (x_fake)", "as many rows"),
    (
        "game.Game.descend_G",
        "-> (min(t / (t + 9), self.ema_decay))",
        "the smaller of the two",
    ),
)


def is_right(exercise, what):
    """Whether a change is one of those that change nothing."""
    function = f"{exercise.chapter}.{exercise.function}"
    return any(function == where and told in what for where, told, _ in EQUIVALENT)


def spans(exercise):
    """The (first, last) positions in the chapter's text that belong to the answer."""
    return source.holes(exercise, source.chapter_text(exercise.chapter))


def mutants(exercise):
    """{what was changed: the text of the student's file} for each mutant of the answer."""
    text = source.chapter_text(exercise.chapter)
    tree = ast.parse(text)
    function = source.function_node(tree, exercise.function)
    library, holes = namespaces(function), spans(exercise)
    inside = [
        node
        for node in ast.walk(function)
        if hasattr(node, "lineno")
        and id(node) not in library
        and any(a <= source.span(text, node)[0] and source.span(text, node)[1] <= b
                for a, b in holes)
    ]  # fmt: skip
    names = [arg.arg for arg in function.args.args if arg.arg != "self"]
    found = {}
    for node in inside:
        for new in changed(node, names):
            first, last = source.span(text, node)
            made = ast.unparse(new)
            if isinstance(node, ast.expr):
                made = f"({made})"
            else:
                column = node.col_offset
                made = made.replace("\n", "\n" + " " * column)
            mutated = text[:first] + made + text[last:]
            before = " ".join(text[first:last].split())
            line = text.splitlines()[node.lineno - 1].strip()
            what = f"{before[:60]} -> {' '.join(made.split())[:60]}"
            found[f"{line} [{node.col_offset}] {what}"] = mutated
    return found


def namespaces(function):
    """The ids of what stands in array_namespace(…): any of the arrays names the library."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    asked = [c for c in calls if getattr(c.func, "id", "") == "array_namespace"]
    return {id(node) for call in asked for node in ast.walk(call)}


def changed(node, names):
    """The node with one change, in every way that is known here."""
    yield from changed_operators(node)
    yield from changed_parts(node, names)
    if isinstance(node, ast.expr) and is_value(node):
        for factor in ("-({})", "2 * ({})", "({}) / 2", "0 * ({})"):
            yield ast.parse(factor.format(ast.unparse(node)), mode="eval").body
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.Expr, ast.For, ast.With)):
        yield ast.Pass()


def is_value(node):
    """Whether the expression stands for numbers that could be multiplied."""
    number = isinstance(node, ast.Attribute) and node.attr in NUMBERS
    remainder = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod)
    minus = isinstance(node, ast.UnaryOp) and not isinstance(node.operand, ast.Constant)
    binary = isinstance(node, ast.BinOp) and not remainder
    return binary or minus or (number and is_load(node))


def is_load(node):
    """Whether a name is read."""
    return isinstance(node.ctx, ast.Load)


def changed_operators(node):
    """One operator for another."""
    if isinstance(node, (ast.BinOp, ast.AugAssign)):
        for other in BINARY.get(type(node.op), ()):
            new = copy.deepcopy(node)
            new.op = other()
            yield new
    if isinstance(node, ast.BinOp):
        yield node.left
        yield node.right
    if isinstance(node, ast.Compare):
        for other in COMPARED.get(type(node.ops[0]), ()):
            new = copy.deepcopy(node)
            new.ops = [other()]
            yield new
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.operand
    if isinstance(node, ast.BoolOp):
        yield from node.values


def changed_parts(node, names):
    """Another number, another argument, a transpose left out, arguments in another order."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        for other in {node.value + 1, -node.value, 0} - {node.value}:
            yield ast.Constant(other)
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
        yield from (ast.Name(other, ast.Load()) for other in names if other != node.id)
    if isinstance(node, ast.Call):
        if len(node.args) == 2:
            new = copy.deepcopy(node)
            new.args = new.args[::-1]
            yield new
        if len(node.args) > 2:
            new = copy.deepcopy(node)
            del new.args[-1]
            yield new
        for keyword in range(len(node.keywords)):
            new = copy.deepcopy(node)
            del new.keywords[keyword]
            yield new
        if len(node.args) == 1 and not node.keywords:
            yield node.args[0]
    if isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse
    if isinstance(node, (ast.List, ast.Tuple)) and isinstance(node.ctx, ast.Load):
        new = copy.deepcopy(node)
        new.elts = new.elts[::-1]
        yield new


def typical(exercise):
    """{what: text} of answers that forget the task: constants, arguments, half of a pair."""
    text = source.chapter_text(exercise.chapter)
    function = source.function_node(ast.parse(text), exercise.function)
    names = [arg.arg for arg in function.args.args if arg.arg != "self"]
    found = {}
    value = last_value(exercise, function)
    for made in PARTS if isinstance(value, ast.Call) else ():
        first, last = source.span(text, value)
        made = made.format(f"({ast.unparse(value)})")
        found[f"the answer {made}"] = text[:first] + made + text[last:]
    for made in ("None", "0.0", "1.0", *names):
        mutated = text
        for first, last in reversed(spans(exercise)):
            put = f"return {made}" if exercise.hole == "" else made
            mutated = mutated[:first] + put + mutated[last:]
        found[f"the answer {made}"] = mutated
    return found


def last_value(exercise, function):
    """What the answer ends with: the expression that is returned, or fills the only gap."""
    if exercise.hole and not exercise.hole.startswith("return"):
        return [*source.assigned(function, exercise.hole.split())][-1]
    if "[" in exercise.hole or "." in exercise.hole:
        return None
    return getattr(function.body[-1], "value", None)


def whole(exercise):
    """The exercise to write all of the function."""
    return Exercise(exercise.chapter, exercise.function, ())


def bug_answers(bug):
    """{what: text} of files in which the bug still is, or was mended by another mistake."""
    written = whole(bug)
    return {"the bug itself": source.student_text(bug)} | typical(written) | mutants(written)


@functools.lru_cache(maxsize=2)
def candidates(exercise):
    """{what: text} of all answers that should be wrong."""
    if isinstance(exercise, Bug):
        found = bug_answers(exercise)
    else:
        found = typical(exercise) | mutants(exercise)
    return {what: text for what, text in found.items() if not is_right(exercise, what)}


def wrong_answers(exercise, every=1, first=0):
    """{what: text} of the candidates, or of every so manieth, that are Python and a change."""
    right = ast.dump(ast.parse(source.chapter_text(exercise.chapter)))
    kept = {}
    for what, text in list(candidates(exercise).items())[first::every]:
        with contextlib.suppress(SyntaxError):
            if ast.dump(ast.parse(text)) != right:
                kept[what] = text
    return kept


def verdict(exercise, text, seed=0):
    """How the check takes it: "look", "stop", "prove" or "value" if rejected, else "right"."""
    try:
        answer.look(exercise, text)
    except answer.NotAnAnswer:
        return "look"
    proofs = exercise.proofs if isinstance(exercise, Bug) else (exercise.proof,)
    job = {
        "folder": str(source.PACKAGE),
        "chapter": exercise.chapter,
        "text": text,
        "path": "<answer>",
        "proofs": proofs,
        "seed": seed,
    }
    try:
        with child.staged(job, "minigan_under_exercise") as findings:
            ours = iter(check.reference(proofs, seed))
            for found in findings:
                theirs = child.as_json(found)
                if check.failure(theirs, ours):
                    return "prove" if "check" in theirs else "value"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return "stop"
    return "right"


def main(names):
    """Try every wrong answer to the named exercises, or to all; returns the exit status."""
    begun, survived, totals = time.perf_counter(), 0, Counter()
    for exercise in [find(name, source.numbers) for name in names] or (*EXERCISES, *BUGS):
        wrong = wrong_answers(exercise)
        became = {what: verdict(exercise, text) for what, text in wrong.items()}
        counts = Counter(became.values())
        totals += counts
        accepted = verdict(exercise, source.chapter_text(exercise.chapter)) == "right"
        print(f"{exercise.key:<40}{len(wrong):>4} wrong answers  {dict(counts)}"
              f"{'' if accepted else '  THE SOLUTION IS REJECTED'}", flush=True)  # fmt: skip
        survived += not accepted
        for what, how in became.items():
            if how == "right":
                survived += 1
                print(f"    ACCEPTED {what}")
    print(f"{sum(totals.values())} wrong answers, {dict(totals)}, "
          f"{time.perf_counter() - begun:.0f} s")  # fmt: skip
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
