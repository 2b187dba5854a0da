r"""A recursive-descent parser for the LaTeX and plain text that answers are written in.

It reads `+ - * / ^ !`, implicit multiplication, `\frac \sqrt[n] \binom`, elementary functions, Greek letters,
tuples, sets, intervals, unions, lists, labels (`x = 5`) and inequalities. Text it does not know is refused,
never guessed at; nothing is evaluated and nothing is ever handed to `eval` or to SymPy's parser.

Binding, weakest first: list < relation < ratio < union < sum < product < sign < power < factorial and
percent.
"""

from fractions import Fraction

from rewarders.maths.tokens import END, Kind, Token, tokenise
from rewarders.maths.tree import Apply, Group, Node, Number, Relation, Symbol, TooCostly, Unparsable, Word
from rewarders.maths.vocabulary import CLOSING, CONSTANTS, FUNCTIONS, GREEK, INVERSES, OPERATORS, RELATIONS

MAX_DEPTH = 80
MAX_DIVISIONS = 20

_SEPARATORS = frozenset({",", ";", "and", "or"})
_LONGEST_PRODUCT_OF_LETTERS = 3


def parse(text: str) -> Node:
    """Read a normalised answer.

    Raises:
        Unparsable: if it is not in the language.
        TooCostly: if it is too long or too deep.
    """
    return _Parser(tokenise(text)).answer()


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._open_bars = 0

    # -- tokens ------------------------------------------------------------------------------------------

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _peek(self, *texts: str) -> bool:
        return self._next.kind is not Kind.NUMBER and self._next.text in texts

    def _take(self) -> Token:
        token = self._next
        self._at += token is not END
        return token

    def _accept(self, *texts: str) -> str | None:
        return self._take().text if self._peek(*texts) else None

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise Unparsable(f"expected {text} at token {self._at}")

    # -- lists and relations -----------------------------------------------------------------------------

    def answer(self) -> Node:
        items = self._items()
        if self._next is not END:
            raise Unparsable(f"token {self._at} fits nowhere")
        return items[0] if len(items) == 1 else Group("list", items)

    def _items(self) -> tuple[Node, ...]:
        """One or more relations between separators; `a, and b` has one separator."""
        self._accept("either", "both")
        items = [self._relation()]
        while self._peek(*_SEPARATORS):
            self._accept(",", ";")
            self._accept("and", "or")
            items.append(self._relation())
        return tuple(items)

    def _relation(self) -> Node:
        self._descend()
        sides, ops = [self._ratio()], []
        while (op := RELATIONS.get(self._next.text)) and self._next.kind is not Kind.LETTERS:
            self._take()
            ops.append(op)
            sides.append(self._ratio())
        self._depth -= 1
        return Relation(tuple(ops), tuple(sides)) if ops else sides[0]

    def _descend(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TooCostly(f"nested deeper than {MAX_DEPTH}")

    def _ratio(self) -> Node:
        """`2:1`. Never read as a quotient, since `1:20` and `2:40` may be times of day."""
        parts = [self._union()]
        while self._accept(":"):
            parts.append(self._union())
        return Group("ratio", tuple(parts)) if len(parts) > 1 else parts[0]

    def _union(self) -> Node:
        parts = [self._sum()]
        while OPERATORS.get(self._next.text) == "cup":
            self._take()
            parts.append(self._sum())
        return Group("union", tuple(parts)) if len(parts) > 1 else parts[0]

    # -- sums and products -------------------------------------------------------------------------------

    def _sum(self) -> Node:
        terms = [self._product()]
        while op := self._accept("+", "-", "pm", "mp"):
            term = self._product()
            terms.append(term if op == "+" else Apply("neg" if op == "-" else op, (term,)))
        return Apply("add", tuple(terms)) if len(terms) > 1 else terms[0]

    def _product(self) -> Node:
        factors, divisions = [self._signed()], 0
        while True:
            if self._accept("/"):
                factors = [Apply("div", (_product_of(factors), self._signed()))]
                divisions += 1
            elif OPERATORS.get(self._next.text) == "*" or self._peek("*"):
                self._take()
                factors.append(self._signed())
            elif self._starts_a_factor():
                self._take_beside(factors)
            else:
                return _product_of(factors)
            if divisions > MAX_DIVISIONS:
                raise TooCostly(f"over {MAX_DIVISIONS} divisions in a row")

    def _take_beside(self, factors: list[Node]) -> None:
        """A factor without a sign before it; an integer beside a fraction of digits is a mixed number."""
        left, before, here = factors[-1], self._tokens[self._at - 1], self._next
        if here.kind is Kind.NUMBER and before.kind is Kind.NUMBER:
            raise Unparsable("two numbers side by side")
        right = self._power()
        if before.kind is Kind.NUMBER and here.text == "frac" and _is_plain_fraction(right):
            factors[-1] = _mixed_number(left, right)
        elif isinstance(left, Symbol) and here.text == "(" and self._next.text != "^":
            factors[-1] = Apply("call", (left, right))
        else:
            factors.append(right)

    def _starts_a_factor(self) -> bool:
        token = self._next
        if token.text == "|":
            return not self._open_bars
        if token.kind is Kind.COMMAND:
            return token.text in FUNCTIONS or token.text in GREEK or token.text in ("frac", "binom", "pi", "infty")
        if token.kind is Kind.LETTERS:
            return token.text not in _SEPARATORS
        return token.kind is Kind.NUMBER or token.text in ("(", "[", "{")

    def _signed(self) -> Node:
        """A factor with any number of signs before it."""
        signs = []
        while sign := self._accept("+", "-", "pm", "mp"):
            signs.append(sign)
        factor = self._power()
        if signs.count("-") % 2:
            factor = Apply("neg", (factor,))
        if plus_minus := [sign for sign in signs if sign in ("pm", "mp")]:
            factor = Apply(plus_minus[0], (factor,))
        return factor

    def _power(self) -> Node:
        self._descend()
        base = self._postfixed()
        if self._accept("^"):
            base = Apply("pow", (base, self._exponent()))
            if self._peek("!", "%"):
                raise Unparsable("a factorial of a power needs brackets")
        self._depth -= 1
        return base

    def _exponent(self) -> Node:
        sign = self._accept("-", "+")
        exponent = self._power()
        return Apply("neg", (exponent,)) if sign == "-" else exponent

    def _postfixed(self) -> Node:
        value = self._atom()
        while sign := self._accept("!", "%", "degree"):
            if sign == "!":
                value = Apply("factorial", (value,))
            elif sign == "%":
                value = Apply("div", (value, Number(Fraction(100))))
            else:
                value = Apply("div", (Apply("mul", (value, Symbol("pi"))), Number(Fraction(180))))
            if isinstance(value, Apply) and self._peek(sign):
                raise Unparsable(f"{sign} twice")
        return value

    # -- atoms -------------------------------------------------------------------------------------------

    def _atom(self) -> Node:
        token = self._take()
        if token.kind is Kind.NUMBER:
            return Number(Fraction(token.text))
        if token.kind is Kind.LETTERS:
            return self._letters(token.text)
        if token.kind is Kind.COMMAND:
            return self._command(token.text)
        if token.text in CLOSING:
            return self._bracketed(token.text)
        if token.text == "|":
            return self._bars()
        raise Unparsable(f"{token.text or 'the end'} is where a value should be")

    def _bracketed(self, opening: str) -> Node:
        items = self._items()
        closing = self._take().text
        if closing == CLOSING[opening] and len(items) == 1:
            return items[0]
        if opening == "{" and closing == "}":
            return Group("set", items)
        if opening == "{" or closing not in (")", "]"):
            raise Unparsable(f"{opening} is not closed")
        return Group(opening + closing, items)

    def _bars(self) -> Node:
        self._open_bars += 1
        inside = self._sum()
        self._open_bars -= 1
        self._expect("|")
        return Apply("abs", (inside,))

    def _command(self, name: str) -> Node:
        if name == "frac":
            return Apply("div", (self._argument(), self._argument()))
        if name == "binom":
            return Apply("binomial", (self._argument(), self._argument()))
        if name == "sqrt":
            return self._root()
        if name == "{":
            return self._set()
        if name == "emptyset":
            return Group("set", ())
        if name in FUNCTIONS:
            return self._function(name)
        if name in CONSTANTS:
            return Symbol(CONSTANTS[name])
        if name in GREEK:
            return self._subscripted(name)
        raise Unparsable(f"unknown command {name[:20]}")

    def _set(self) -> Node:
        if self._accept("}"):
            return Group("set", ())
        items = self._items()
        self._expect("}")
        return Group("set", items)

    def _root(self) -> Node:
        r"""`\sqrt{x}` and `\sqrt[n]{x}`."""
        if not self._accept("["):
            return Apply("sqrt", (self._argument(),))
        degree = self._sum()
        self._expect("]")
        return Apply("root", (self._argument(), degree))

    def _argument(self) -> Node:
        r"""What a LaTeX command takes: a group, or else one token, of a number one digit (`\frac12`)."""
        token = self._next
        if token.kind is Kind.NUMBER and len(token.text) > 1:
            self._tokens[self._at] = Token(Kind.NUMBER, token.text[1:])
            if token.text[1] == "." or token.text[0] == ".":
                raise Unparsable("a decimal cannot be split")
            return Number(Fraction(token.text[0]))
        if token.text == "-":
            raise Unparsable("a sign cannot be an argument")
        self._descend()
        value = self._atom()
        self._depth -= 1
        return value

    # -- names and functions -----------------------------------------------------------------------------

    def _letters(self, run: str) -> Node:
        if run in FUNCTIONS:
            return self._function(run)
        if run in CONSTANTS:
            return Symbol(CONSTANTS[run])
        if run in GREEK:
            return self._subscripted(run)
        if len(run) == 1:
            return self._subscripted(run)
        if self._stands_alone():
            return Word(run)
        if len(run) > _LONGEST_PRODUCT_OF_LETTERS:
            raise Unparsable(f"unknown name {run[:20]}")
        factors = [Symbol(letter) for letter in run[:-1]]
        return Apply("mul", (*factors, self._subscripted(run[-1])))

    def _stands_alone(self) -> bool:
        """Whether the run just taken is all there is between separators: then it is a word, not a product."""
        before = self._tokens[self._at - 2] if self._at > 1 else END
        ends = (*_SEPARATORS, "", "(", ")", "[", "]", "{", "}")
        return before.text in ends and self._next.text in (*ends, "=")

    def _subscripted(self, name: str) -> Node:
        if not self._accept("_"):
            return Symbol(name)
        grouped = self._accept("{")
        parts = [self._take()]
        while grouped and not self._peek("}") and self._next is not END:
            parts.append(self._take())
        if grouped:
            self._expect("}")
        if any(part.kind not in (Kind.NUMBER, Kind.LETTERS) and part.text not in "+-," for part in parts):
            raise Unparsable("a subscript of more than names and numbers")
        return Symbol(name + "_" + " ".join(part.text for part in parts))

    def _function(self, name: str) -> Node:
        head = FUNCTIONS[name]
        if head == "log" and self._accept("_"):
            base = self._argument()
            return Apply("logarithm", (self._operand(), base))
        power = None
        if self._accept("^"):
            power = self._exponent()
        if power in (Number(Fraction(-1)), Apply("neg", (Number(Fraction(1)),))):
            if head not in INVERSES:
                raise Unparsable(f"what {head} to the power -1 means is not clear")
            return Apply(INVERSES[head], (self._operand(),))
        value = Apply(head, (self._operand(),))
        return value if power is None else Apply("pow", (value, power))

    def _operand(self) -> Node:
        r"""What a function is applied to: a bracket, or the factors up to the next function."""
        if self._peek("(", "[", "{", "|"):
            self._descend()
            value = self._atom()
            self._depth -= 1
            return value
        factors = [self._signed() if self._peek("-") else self._power()]
        while self._starts_a_factor() and not self._peek("(", "[", "{", "|") and self._next.text not in FUNCTIONS:
            self._take_beside(factors)
        return _product_of(factors)


def _product_of(factors: list[Node]) -> Node:
    return Apply("mul", tuple(factors)) if len(factors) > 1 else factors[0]


def _mixed_number(whole: Node, fraction: Node) -> Node:
    """`1\\frac{1}{2}`, and `-1\\frac{1}{2}` with the sign over both."""
    if isinstance(whole, Apply) and whole.head == "neg":
        return Apply("neg", (_mixed_number(whole.args[0], fraction),))
    if not isinstance(whole, Number) or whole.value.denominator != 1:
        raise Unparsable("only an integer makes a mixed number")
    return Apply("add", (whole, fraction))


def _is_plain_fraction(node: Node) -> bool:
    return isinstance(node, Apply) and node.head == "div" and all(isinstance(arg, Number) for arg in node.args)
