import pytest

from sandboxes.compare import same_bytes, same_floats, same_lines, same_tokens, same_unordered_lines, within


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (b"1 2\n", b"1   2"),
        (b"a\nb\n", b"a b"),
        (b"", b" \n\t"),
        (b"x\r\n", b"x\n"),
    ],
)
def test_tokens_are_the_same_however_they_are_spaced(expected: bytes, actual: bytes):
    assert same_tokens(expected, actual)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (b"1000000007", b"1000000008"),
        (b"9007199254740992", b"9007199254740993"),
        (b"1000", b"1e3"),
        (b"16", b"0x10"),
        (b"7", b"07"),
        (b"Yes", b"YES"),
        (b"12", "１２".encode()),
        (b"1 2", b"1"),
        (b"1", b"1 2"),
        (b"1 2", b"2 1"),
        (b"1 2", "1\u00a02".encode()),  # a no-break space divides nothing
        (b"a", b"a\x00"),
        (b"\xff", b"\xfe"),
        (b"4", b""),
    ],
)
def test_tokens_that_merely_look_alike_are_different(expected: bytes, actual: bytes):
    assert not same_tokens(expected, actual)
    assert not same_floats(expected, actual, absolute=1e-6, relative=1e-6)


def test_exact_means_every_byte():
    assert same_bytes(b"a\n", b"a\n")
    assert not same_bytes(b"a\n", b"a")


@pytest.mark.parametrize("actual", [b"a\nb", b"a \nb\t\n\n\n", b"a\r\nb\r\n"])
def test_lines_forgive_white_space_at_their_ends_and_empty_lines_at_the_end(actual: bytes):
    assert same_lines(b"a\nb\n", actual)


@pytest.mark.parametrize("actual", [b" a\nb", b"\na\nb", b"a\n\nb", b"a b", b"b\na", b"a", b"a\nb\nc"])
def test_lines_forgive_nothing_else(actual: bytes):
    assert not same_lines(b"a\nb\n", actual)


def test_unordered_lines_come_in_any_order_but_each_as_often():
    assert same_unordered_lines(b"a\nb\nb\n", b"b\na \nb")
    assert not same_unordered_lines(b"a\nb\nb\n", b"a\na\nb\n")
    assert not same_unordered_lines(b"a\nb\n", b"a\nb\nc\n")


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (b"0.5", b"0.50001"),
        (b"2.0", b"2"),
        (b"1e3", b"1000.0"),
        (b"-.5", b"-0.5"),
        (b"nan", b"nan"),
        (b"x 1.5", b"x 1.5"),
    ],
)
def test_floats_may_be_off_by_the_tolerance(expected: bytes, actual: bytes):
    assert same_floats(expected, actual, absolute=1e-4, relative=0.0)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (b"0.5", b"0.5002"),
        (b"2", b"2.0"),
        (b"2", b"2.00000001"),
        (b"2", b"+2"),
        (b"1.5", b"nan"),
        (b"1.5", b"1_5e-1"),
        (b"1.5", b"1.5f"),
        (b"1.5", b"0x1.8p0"),
        (b"1.5", "１.5".encode()),
        (b"1e300", b"1e999"),
        (b"inf", b"1e999"),
        (b"1.5", b"1.5" + b"0" * 500),
        (b"1.5 2.5", b"1.5"),
    ],
)
def test_floats_forgive_neither_integers_nor_odd_spellings(expected: bytes, actual: bytes):
    assert not same_floats(expected, actual, absolute=1e-4, relative=0.0)


def test_the_larger_tolerance_counts():
    assert within(1000.0, 1000.5, absolute=1e-9, relative=1e-3)
    assert within(0.0, 1e-9, absolute=1e-8, relative=0.0)
    assert not within(0.0, 1e-9, absolute=0.0, relative=1.0)
    assert not within(float("inf"), float("inf"), absolute=1.0, relative=1.0)


def test_a_long_number_that_is_none_costs_no_more_than_its_length():
    assert not same_floats(b"1.5 " * 10, b"1" * 1_000_000 + b"x ", absolute=1.0, relative=0.0)
    assert not same_floats(b"1.5", b"1" * 399 + b"x", absolute=1.0, relative=0.0)
