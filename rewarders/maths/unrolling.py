"""What can be written out before anything is compared: finite sums, small determinants, matrix arithmetic."""

from collections.abc import Callable
from fractions import Fraction
from itertools import islice, permutations

from rewarders.maths.exact import bits, rational
from rewarders.maths.tree import Apply, Binder, Group, Node, Number, Relation, TooCostly, Unparsable, replace, walk

MAX_TERMS = 300
MAX_NODES = 6_000
MAX_ROWS = 3
"""Of a determinant: it has as many terms as its rows can be ordered."""

MAX_ENTRY_BITS = 2_000
"""Of a number in a product of matrices."""

MAX_PRODUCTS = 20_000
"""Of two numbers, to multiply two matrices."""


def unrolled(node: Node) -> Node:
    """The same answer with as little left to compute as can be seen from its form.

    Raises:
        TooCostly: if writing it out takes too much.
        Unparsable: for a product of matrices that do not fit.
    """
    if not any(isinstance(part, Binder) or _is_matrix(part) for part in walk(node)):
        return node
    match node:
        case Binder("sum" | "product", name, body, (start, end)):
            return _terms(node, name, unrolled(body), unrolled(start), unrolled(end))
        case Binder():
            return Binder(node.head, node.name, unrolled(node.body), tuple(map(unrolled, node.ends)))
        case Apply("det", (matrix,)) if _is_matrix(matrix):
            return _determinant([row.items for row in _rows(unrolled(matrix))])
        case Apply():
            return _combined(node.head, [unrolled(arg) for arg in node.args])
        case Group():
            return Group(node.kind, tuple(map(unrolled, node.items)))
        case Relation():
            return Relation(node.ops, tuple(map(unrolled, node.sides)))
    return node


def _terms(node: Binder, name: str, body: Node, start: Node, end: Node) -> Node:
    first, last = rational(start), rational(end)
    if first is None or last is None or first.denominator != 1 or last.denominator != 1:
        return Binder(node.head, name, body, (start, end))
    count = max(0, int(last - first) + 1)
    if count > MAX_TERMS or count * sum(1 for _ in walk(body)) > MAX_NODES:
        raise TooCostly(f"{count} terms to write out")
    terms = tuple(replace(body, name, Number(first + step)) for step in range(count))
    return Apply("add" if node.head == "sum" else "mul", (Number(Fraction(node.head == "product")), *terms))


def _is_matrix(node: Node) -> bool:
    return isinstance(node, Group) and node.kind == "matrix"


def _rows(matrix: Node) -> list[Group]:
    assert isinstance(matrix, Group), "only matrices have rows"
    return [row for row in matrix.items if isinstance(row, Group)]


def _determinant(rows: list[tuple[Node, ...]]) -> Node:
    if any(len(row) != len(rows) for row in rows):
        raise Unparsable("a determinant of something that is no square")
    if len(rows) > MAX_ROWS:
        raise TooCostly(f"a determinant of {len(rows)} rows")
    terms = []
    for order in permutations(range(len(rows))):
        term = Apply("mul", tuple(row[column] for row, column in zip(rows, order, strict=True)))
        odd = sum(order[i] > order[j] for j in range(len(order)) for i in range(j)) % 2
        terms.append(Apply("neg", (term,)) if odd else term)
    return Apply("add", tuple(terms))


def _combined(head: str, args: list[Node]) -> Node:
    matrices = [arg for arg in args if _is_matrix(arg)]
    if not matrices:
        return Apply(head, tuple(args))
    if head == "mul":
        product, scalars = matrices[0], tuple(arg for arg in args if not _is_matrix(arg))
        for matrix in matrices[1:]:
            product = _collapsed(_times(_collapsed(product), _collapsed(matrix)))
        return _each(product, lambda entry: Apply("mul", (*scalars, entry))) if scalars else product
    if head == "neg":
        return _each(matrices[0], lambda entry: Apply("neg", (entry,)))
    if head == "div" and _is_matrix(args[0]) and len(matrices) == 1:
        return _each(args[0], lambda entry: Apply("div", (entry, args[1])))
    if head == "add" and len(matrices) == len(args):
        return _sum_of(matrices)
    return Apply(head, tuple(args))


def _each(matrix: Node, change: Callable[[Node], Node]) -> Node:
    return Group("matrix", tuple(Group("row", tuple(map(change, row.items))) for row in _rows(matrix)))


def _collapsed(matrix: Node) -> Node:
    """The same with a number for every entry that is one. Raises TooCostly for what could only grow from here."""
    if sum(1 for _ in islice(walk(matrix), MAX_NODES + 1)) > MAX_NODES:
        raise TooCostly(f"a matrix of over {MAX_NODES} parts")
    return _each(matrix, _as_number)


def _as_number(entry: Node) -> Node:
    value = rational(entry)
    if value is None:
        return entry
    if bits(value) > MAX_ENTRY_BITS:
        raise TooCostly(f"a number of over {MAX_ENTRY_BITS} bits in a matrix")
    return Number(value)


def _times(left: Node, right: Node) -> Node:
    columns = list(zip(*(row.items for row in _rows(right)), strict=True))
    rows = _rows(left)
    if len(rows) * len(_rows(right)) * len(columns) > MAX_PRODUCTS:
        raise TooCostly("a product of large matrices")
    if any(len(row.items) != len(_rows(right)) for row in rows):
        raise Unparsable("a product of matrices that do not fit")
    return Group("matrix", tuple(Group("row", tuple(_inner(row.items, column) for column in columns)) for row in rows))


def _inner(row: tuple[Node, ...], column: tuple[Node, ...]) -> Node:
    return Apply("add", tuple(Apply("mul", pair) for pair in zip(row, column, strict=True)))


def _sum_of(matrices: list[Node]) -> Node:
    shapes = {tuple(len(row.items) for row in _rows(matrix)) for matrix in matrices}
    if len(shapes) > 1:
        raise Unparsable("a sum of matrices that do not fit")
    total = zip(*map(_rows, matrices), strict=True)
    return Group("matrix", tuple(Group("row", _added(rows)) for rows in total))


def _added(rows: tuple[Group, ...]) -> tuple[Node, ...]:
    columns = zip(*(row.items for row in rows), strict=True)
    return tuple(Apply("add", entries) for entries in columns)
