r"""The names the parser knows. A command that is not listed here makes an answer unparsable."""

FUNCTIONS = {
    **{name: name for name in ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "exp", "ln")},
    **{f"{arc}{name}": f"a{name}" for arc in ("a", "arc") for name in ("sin", "cos", "tan")},
    "log": "log",
    "sqrt": "sqrt",
    "abs": "abs",
}
"""Spelling -> head, for functions of one argument."""

INVERSES = {"sin": "asin", "cos": "acos", "tan": "atan"}

_GREEK_NAMES = """
alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho sigma tau
upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell
"""
GREEK = frozenset(_GREEK_NAMES.split())

CONSTANTS = {"pi": "pi", "infty": "infinity", "infinity": "infinity", "oo": "infinity"}

OPERATORS = {"cdot": "*", "times": "*", "ast": "*", "cup": "cup", "pm": "pm", "mp": "mp"}

RELATIONS = {
    "=": "=",
    "<": "<",
    ">": ">",
    "<=": "<=",
    ">=": ">=",
    "le": "<=",
    "ge": ">=",
    "ne": "!=",
    "in": "in",
}

CLOSING = {"(": ")", "[": "]", "{": "}"}
