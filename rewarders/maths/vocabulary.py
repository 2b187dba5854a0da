r"""The names the parser knows. A command that is not listed here makes an answer unparsable."""

_CIRCULAR = ("sin", "cos", "tan", "cot", "sec", "csc")
_HYPERBOLIC = ("sinh", "cosh", "tanh", "coth", "sech", "csch")

FUNCTIONS = {
    **{name: name for name in (*_CIRCULAR, *_HYPERBOLIC, "exp", "ln", "log", "lg", "sqrt", "abs", "floor")},
    **{f"{arc}{name}": f"a{name}" for arc in ("a", "arc") for name in _CIRCULAR},
    **{f"{arc}{name}": f"a{name}" for arc in ("a", "ar", "arc") for name in _HYPERBOLIC},
    **{"tg": "tan", "ctg": "cot", "cosec": "csc", "arctg": "atan", "ceil": "ceil", "ceiling": "ceil"},
}
"""Spelling -> head, for functions of one argument."""

CHOOSERS = frozenset({"gcd", "lcm", "max", "min"})
"""Functions of any number of arguments."""

INVERSES = {name: f"a{name}" for name in (*_CIRCULAR, *_HYPERBOLIC)}

_GREEK_NAMES = """
alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho sigma tau
upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell
"""
GREEK = frozenset(_GREEK_NAMES.split())

CONSTANTS = {
    **{"pi": "pi", "infty": "infinity", "infinity": "infinity", "oo": "infinity"},
    **{"exponentialE": "e", "imaginaryI": "i", "imaginaryJ": "i"},
}

PRODUCTS = frozenset({"*", "cdot", "times", "ast"})
SIGNS = frozenset({"+", "-", "pm", "mp"})
SET_OPERATORS = {"cup": "union", "cap": "cap", "setminus": "without", "backslash": "without"}
"""Operator -> head, of sets."""

RELATIONS = {
    **{"=": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "le": "<=", "ge": ">=", "ne": "!=", "in": "in"},
    **{"approx": "~", "equiv": "mod"},
}
ARROWS = frozenset({"to", "rightarrow", "longrightarrow", "Rightarrow", "Longrightarrow"})

CLOSING = {"(": ")", "[": "]", "{": "}"}
BRACKETS = {
    "langle": ("rangle", ""),
    "lfloor": ("rfloor", "floor"), "llcorner": ("lrcorner", "floor"),
    "lceil": ("rceil", "ceil"), "ulcorner": ("urcorner", "ceil"),
}  # fmt: skip
"""Opening command -> closing command, and the function that the pair stands for."""

SEPARATORS = frozenset({",", ";", "and", "or", "cr", "land", "lor", "wedge", "vee"})
"""Between the items of a list."""
_BESIDE = frozenset({"frac", "binom", "sqrt", "sum", "prod", "int", "lim", "begin", "angle"})
FACTORS = _BESIDE | CHOOSERS | GREEK | FUNCTIONS.keys() | CONSTANTS.keys() | BRACKETS.keys()
"""Commands that may stand beside a factor without a sign."""

_ALL = ("all real numbers", "all reals", "any real number", "every real number", "all real values", "the real numbers")
_NONE = ("no solution", "no solutions", "no real solution", "no real solutions", "none", "empty set", "the empty set")
PHRASES = {
    **dict.fromkeys(_ALL, r"\mathbb{R}"),
    **dict.fromkeys((*_NONE, "there is no solution", "there are no solutions"), r"\emptyset"),
    **dict.fromkeys(("infinity", "positive infinity", "plus infinity"), r"\infty"),
    **dict.fromkeys(("negative infinity", "minus infinity"), r"-\infty"),
    **dict.fromkeys(("does not exist", "dne", "not defined", "is undefined"), "undefined"),
}
"""What is said in words and written in signs, by its casefolded text."""
