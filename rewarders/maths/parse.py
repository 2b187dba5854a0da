r"""A recursive-descent parser for the LaTeX and plain text that answers are written in.

It reads `+ - * / ^ ! mod`, implicit multiplication, functions, Greek letters, tuples, sets, intervals, set operations,
lists, labels (`x = 5`) and inequalities; `commands` reads what starts with a backslash. Text it does not know is
refused, never guessed at; nothing is evaluated and nothing is ever handed to `eval` or to SymPy's parser.

Binding, weakest first: list < relation < ratio < set operation < sum < product < sign < power < factorial and percent.
"""

from fractions import Fraction

from rewarders.maths.brackets import bars, bracketed, in_its_base
from rewarders.maths.commands import command
from rewarders.maths.names import letters
from rewarders.maths.numbers import MAX_TEN_EXPONENT
from rewarders.maths.tokens import END, Kind, Token, tokenise
from rewarders.maths.tree import Apply, Group, Node, Number, Relation, Symbol, TooCostly, Unparsable, Word, product_of
from rewarders.maths.vocabulary import CLOSING, FACTORS, PRODUCTS, RELATIONS, SEPARATORS, SET_OPERATORS, SIGNS

MAX_DEPTH = 80
MAX_DIVISIONS = 20
MAX_SET_OPERATORS = 60
MAX_SIGNS_BEHIND = 3
_TEN_EXPONENT_CHARS = 8

_AFTER_AN_INTERVAL = frozenset({"cup", "cap", "setminus", ",", ";", ")", "}", "and", "or"})
_EITHER = frozenset({"or", "lor", "vee"})
_BOTH = frozenset({"and", "land", "wedge"})
_BOUNDS = frozenset({"<", "<=", ">", ">=", "!="})


def parse(text: str) -> Node:
    """Read a normalised answer.

    Raises:
        Unparsable: if it is not in the language.
        TooCostly: if it is too long or too deep.
    """
    return Parser(tokenise(text)).answer()


class Parser:
    """The grammar, over the tokens of one answer."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self.open_bars = 0
        """How many `|` wait for their other half; while there are any, a `|` closes."""
        self.in_set_head = False
        """Whether a `:` ends what is being read, as in `{x : x > 0}`."""
        self.differentials = False
        """Whether `dx` is a differential."""

    # -- tokens --------------------------------------------------------------------------------------------------

    @property
    def next(self) -> Token:
        """The token to come."""
        return self._tokens[self._at]

    @property
    def after_next(self) -> Token:
        """The one after that."""
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    @property
    def before_last(self) -> Token:
        """The token before the one that was taken last."""
        return self._tokens[self._at - 2] if self._at > 1 else END

    def peek(self, *texts: str) -> bool:
        """Whether one of these comes next."""
        token = self._tokens[self._at]
        return token.text in texts and token.kind is not Kind.NUMBER

    def take(self) -> Token:
        """The next token, whatever it is."""
        token = self._tokens[self._at]
        self._at += token is not END
        return token

    def put_back(self, letters: str) -> None:
        """Read these letters next: they were taken with those before them."""
        self._tokens[self._at - 1] = Token(Kind.LETTERS, self._tokens[self._at - 1].text[: -len(letters)])
        self._tokens.insert(self._at, Token(Kind.LETTERS, letters))

    def accept(self, *texts: str) -> str | None:
        """The next token if it is one of these."""
        token = self._tokens[self._at]
        if token.text not in texts or token.kind is Kind.NUMBER:
            return None
        self._at += token is not END
        return token.text

    def expect(self, text: str) -> None:
        """Take a token that has to come. Raises Unparsable."""
        if not self.accept(text):
            raise Unparsable(f"expected {text} at token {self._at}")

    def descend(self) -> None:
        """Go one level down. Raises TooCostly."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TooCostly(f"nested deeper than {MAX_DEPTH}")

    def ascend(self) -> None:
        """Come back."""
        self._depth -= 1

    # -- lists and relations ---------------------------------------------------------------------------------------

    def answer(self) -> Node:
        """All of it. Raises Unparsable, TooCostly."""
        items, word = self.items()
        if self.next is not END:
            raise Unparsable(f"token {self._at} fits nowhere")
        return items[0] if len(items) == 1 else joined(items, word)

    def items(self) -> tuple[tuple[Node, ...], str]:
        """Relations between separators, and what all of these say, "or", "and" or nothing; `a, and b` has one."""
        self.accept("either", "both")
        items, separators = [self.relation()], []
        while self.peek(*SEPARATORS):
            taken = [self.take().text]
            if taken[0] in ",;" and (word := self.accept("and", "or")):
                taken.append(word)
            if taken[0] == "cr" and self.next is END:
                break
            separators.append(taken[-1])
            items.append(self.relation())
        words = {"or" if word in _EITHER else "and" if word in _BOTH else "" for word in separators}
        return tuple(items), words.pop() if len(words) == 1 else ""

    def relation(self) -> Node:
        """Ratios between signs of relation, or one of them alone."""
        self.descend()
        sides, ops = [self._residue()], []
        while (op := RELATIONS.get(self.next.text)) and self.next.kind is not Kind.LETTERS:
            self.take()
            ops.append(op)
            sides.append(self._residue())
        self.ascend()
        return Relation(tuple(ops), tuple(sides)) if ops else sides[0]

    def _residue(self) -> Node:
        r"""`3 \pmod 7`, or anything without a modulus."""
        value = self._ratio()
        if self.accept("pmod"):
            return Apply("residue", (value, self.argument()))
        if self.peek("(") and self.after_next.text == "mod":
            self.take()
            self.take()
            modulus = self.sum()
            self.expect(")")
            return Apply("residue", (value, modulus))
        return value

    def _ratio(self) -> Node:
        """`2:1`. Not a quotient yet, since `1:20` and `2:40` may be times of day."""
        parts = [self._set_operation()]
        while not self.in_set_head and self.accept(":"):
            parts.append(self._set_operation())
        if len(parts) == 2 and isinstance(parts[0], Word):  # `Minimum: 1`
            return Relation(("=",), (parts[0], parts[1]))
        return Group("ratio", tuple(parts)) if len(parts) > 1 else parts[0]

    def _set_operation(self) -> Node:
        value, operators = self.sum(), 0
        while self.next.kind is Kind.COMMAND and (head := SET_OPERATORS.get(self.next.text)):
            self.take()
            operators += 1
            if operators > MAX_SET_OPERATORS:
                raise TooCostly(f"over {MAX_SET_OPERATORS} set operators in a row")
            other = self.sum()
            if head == "union" and isinstance(value, Group) and value.kind == "union":
                value = Group("union", (*value.items, other))
            else:
                value = Group(head, (value, other))
        return value

    # -- sums and products -----------------------------------------------------------------------------------------

    def sum(self) -> Node:
        """Products between signs."""
        terms = [self.product()]
        while op := self.accept(*SIGNS):
            terms.append(signed(op, self.product()))
        return Apply("add", tuple(terms)) if len(terms) > 1 else terms[0]

    def product(self) -> Node:
        """Factors side by side or with signs between them."""
        factors, divisions = [self.factor()], 0
        while True:
            if self.accept("/"):
                factors = [Apply("div", (product_of(factors), self.factor()))]
                divisions += 1
            elif self.accept(*PRODUCTS):
                factors.append(self.factor())
            elif self.accept("mod", "bmod"):
                factors = [Apply("mod", (product_of(factors), self.factor()))]
                divisions += 1
            elif self.starts_a_factor():
                self.take_beside(factors)
            else:
                return product_of(factors)
            if divisions > MAX_DIVISIONS:
                raise TooCostly(f"over {MAX_DIVISIONS} divisions in a row")

    def starts_a_factor(self) -> bool:
        """Whether what comes next multiplies what was read."""
        token = self.next
        if token.text == "|":
            return not self.open_bars
        if token.text == "(":
            return self.after_next.text != "mod"
        if token.kind is Kind.COMMAND:
            return token.text in FACTORS
        if token.kind is Kind.LETTERS:
            return token.text not in SEPARATORS and token.text not in ("mod", "choose")
        if token.text == "[":  # or the end of `[1, 2[`
            return self.after_next is not END and self.after_next.text not in _AFTER_AN_INTERVAL
        return token.kind is Kind.NUMBER or token.text == "{"

    def take_beside(self, factors: list[Node]) -> None:
        """A factor without a sign before it; an integer beside a fraction of digits is a mixed number."""
        left, before, here = factors[-1], self._tokens[self._at - 1], self.next
        if here.kind is Kind.NUMBER and before.kind is Kind.NUMBER:
            raise Unparsable("two numbers side by side")
        if here.text == "(" and _is_inverse(left):
            raise Unparsable("an inverse function, or a quotient")
        right = self.power()
        if before.kind is Kind.NUMBER and here.text == "frac" and _is_plain_fraction(right):
            factors[-1] = _mixed_number(left, right)
        elif isinstance(left, Symbol) and here.text == "(" and self.next.text != "^":
            factors[-1] = _called(left, right)
        else:
            factors.append(right)

    def factor(self) -> Node:
        """A factor with any number of signs before it."""
        signs = []
        while sign := self.accept(*SIGNS):
            signs.append(sign)
        factor = self.power()
        if signs.count("-") % 2:
            factor = Apply("neg", (factor,))
        if plus_minus := [sign for sign in signs if sign in ("pm", "mp")]:
            factor = Apply(plus_minus[0], (factor,))
        return factor

    def power(self) -> Node:
        """A value and what it is raised to."""
        self.descend()
        base = self._postfixed()
        if self.accept("^"):
            base = Apply("pow", (base, self.exponent()))
            if self.peek("!", "%"):
                raise Unparsable("a factorial of a power needs brackets")
        self.ascend()
        return base

    def exponent(self) -> Node:
        """What stands after `^`."""
        sign = self.accept("-", "+")
        exponent = self.power()
        return Apply("neg", (exponent,)) if sign == "-" else exponent

    def _postfixed(self) -> Node:
        value, signs = self.atom(), 0
        while sign := self.accept("!", "%", "degree"):
            signs += 1
            if signs > MAX_SIGNS_BEHIND:
                raise Unparsable("many signs behind a value")
            if sign == "!":
                value = Apply("factorial", (value,))
            elif sign == "%":
                value = Apply("div", (value, Number(Fraction(100))))
            else:
                value = Apply("div", (Apply("mul", (value, Symbol("pi"))), Number(Fraction(180))))
            if isinstance(value, Apply) and self.peek(sign):
                raise Unparsable(f"{sign} twice")
        return value

    # -- atoms -----------------------------------------------------------------------------------------------------

    def atom(self) -> Node:
        """A number, a name, a command with its arguments, or what is in brackets."""
        token = self.take()
        if token.kind is Kind.NUMBER:
            return in_its_base(self, token.text) if self.peek("_") else Number(_value(token.text))
        if token.kind is Kind.LETTERS:
            return letters(self, token.text)
        if token.kind is Kind.COMMAND:
            return command(self, token.text)
        if token.text in CLOSING or token.text == "]":
            return bracketed(self, token.text)
        if token.text == "|":
            return bars(self)
        raise Unparsable(f"{token.text or 'the end'} is where a value should be")

    def argument(self, *, subscript: bool = True) -> Node:
        r"""What a LaTeX command takes: a group, or else one token, of a number one digit (`\frac12`)."""
        token = self.next
        if token.kind is Kind.NUMBER and not token.text.replace(".", "").isdecimal():
            raise Unparsable("a power of ten cannot be split")
        if not subscript and token.kind is Kind.LETTERS and len(token.text) == 1:
            return Symbol(self.take().text)
        if token.kind is Kind.NUMBER and len(token.text) > 1:
            self._tokens[self._at] = Token(Kind.NUMBER, token.text[1:])
            if token.text[1] == "." or token.text[0] == ".":
                raise Unparsable("a decimal cannot be split")
            return Number(_value(token.text[0]))
        if token.text == "-":
            raise Unparsable("a sign cannot be an argument")
        self.descend()
        value = self.atom()
        self.ascend()
        return value


def _value(digits: str) -> Fraction:
    if digits.isdecimal():
        return Fraction(int(digits))
    exponent = digits.lower().partition("e")[2]
    if exponent and (len(exponent) > _TEN_EXPONENT_CHARS or abs(int(exponent)) > MAX_TEN_EXPONENT):
        raise TooCostly(f"a power of ten of over {MAX_TEN_EXPONENT}")
    return Fraction(digits)


def joined(items: tuple[Node, ...], word: str) -> Group:
    """Items between separators: conditions that hold each by itself, or all together, or a list."""
    relations = [item for item in items if isinstance(item, Relation)]
    if len(relations) < len(items) or not word:
        return Group("list", items)
    if word == "or":
        return Group("or", items)
    return Group("all" if all(set(relation.ops) <= _BOUNDS for relation in relations) else "list", items)


def signed(op: str, term: Node) -> Node:
    """A term of a sum with the sign before it."""
    return term if op == "+" else Apply("neg" if op == "-" else op, (term,))


def _is_inverse(node: Node) -> bool:
    """Whether it is written as inverse functions are: `f^{-1}`."""
    match node:
        case Apply("pow", (Symbol(name), exponent)) if name in "fghFGH":
            return exponent in (Number(Fraction(-1)), Apply("neg", (Number(Fraction(1)),)))
    return False


def _called(name: Symbol, place: Node) -> Node:
    """A function at a place; `C(5, 2)` is a binomial coefficient."""
    match name, place:
        case Symbol("C"), Group("()", (Number() as n, Number() as k)):
            return Apply("binomial", (n, k))
    return Apply("call", (name, place))


def _mixed_number(whole: Node, fraction: Node) -> Node:
    """`1\\frac{1}{2}`, and `-1\\frac{1}{2}` with the sign over both."""
    if isinstance(whole, Apply) and whole.head == "neg":
        return Apply("neg", (_mixed_number(whole.args[0], fraction),))
    if not isinstance(whole, Number) or whole.value.denominator != 1:
        raise Unparsable("only an integer makes a mixed number")
    return Apply("add", (whole, fraction))


def _is_plain_fraction(node: Node) -> bool:
    return isinstance(node, Apply) and node.head == "div" and all(isinstance(arg, Number) for arg in node.args)
