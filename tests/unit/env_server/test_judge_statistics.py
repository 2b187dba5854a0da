"""Figures against published ones."""

import pytest

from env_server.judges import statistics
from env_server.judges.statistics import Rated, bootstrapped, cohen, interval, krippendorff, nominal, share

NAN = None
KRIPPENDORFF_2011 = [
    [1, 1, NAN, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4], [4, 4, 4, 4],
    [1, 1, 2, 1], [2, 2, 2, 2], [NAN, 5, 5, 5], [NAN, NAN, 1, 1], [NAN, NAN, 3, NAN],
]  # fmt: skip
"""Four observers, twelve units, with data missing: "Computing Krippendorff's Alpha-Reliability", section C."""


@pytest.mark.parametrize(("distance", "alpha"), [(nominal, 0.743), (interval, 0.849)])
def test_krippendorffs_alpha_is_that_of_his_own_example(distance, alpha: float):
    units = [[value for value in unit if value is not None] for unit in KRIPPENDORFF_2011]
    assert krippendorff(units, distance) == pytest.approx(alpha, abs=5e-4)


def test_krippendorffs_binary_example():
    first = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    second = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    assert krippendorff(list(zip(first, second, strict=True))) == pytest.approx(0.095, abs=5e-4)


def test_cohens_kappa_of_fifty_grant_proposals():
    pairs = [(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 15
    assert cohen(*zip(*pairs, strict=True)) == pytest.approx(0.4)


def test_agreement_by_chance_alone_says_nothing():
    assert cohen([1, 1], [1, 1]) is None
    assert krippendorff([[1, 1], [1, 1]]) is None
    assert krippendorff([[1], [2]]) is None


def test_the_interval_of_clopper_and_pearson():
    figure = share(9, 10)
    assert (figure.low, figure.high) == (pytest.approx(0.5550, abs=1e-4), pytest.approx(0.9975, abs=1e-4))
    assert share(0, 0).value is None
    assert share(0, 300).high == pytest.approx(1 - 0.025 ** (1 / 300), abs=1e-6)
    assert share(20, 20).low == pytest.approx(0.025 ** (1 / 20), abs=1e-6)
    assert (share(0, 5).low, share(5, 5).high) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("observed", "sensitivity", "specificity", "true"),
    [(0.7, 0.95, 0.8, 2 / 3), (0.7, 0.9, 0.95, 0.7647), (0.05, 0.9, 0.9, 0.0), (0.5, 0.5, 0.5, None)],
)
def test_the_corrected_rate(observed: float, sensitivity: float, specificity: float, true: float | None):
    found = statistics.rogan_gladen(observed, sensitivity, specificity)
    assert found == (true if true is None else pytest.approx(true, abs=1e-4))


def test_auroc_counts_ties_half():
    rated = [Rated(True, 0.9), Rated(True, 0.5), Rated(False, 0.5), Rated(False, 0.1)]
    assert statistics.auroc(rated) == pytest.approx(0.875)
    assert statistics.auroc([Rated(True, 1.0)]) is None


def test_ece_is_the_gap_between_promise_and_truth():
    rated = [Rated(True, 0.75), Rated(False, 0.75), Rated(True, 1.0), Rated(False, 0.0)]
    assert statistics.ece(rated) == pytest.approx(0.125)


def test_rates_of_each_kind():
    rated = [Rated(True, 1.0)] * 8 + [Rated(True, 0.0)] * 2 + [Rated(False, 0.2)] * 5 + [Rated(False, 0.5)] * 5
    found = [f(rated).value for f in (statistics.accuracy, statistics.sensitivity, statistics.specificity)]
    assert found == [0.65, 0.8, 0.5]


def test_the_same_data_give_the_same_interval_around_the_figure():
    rated = [Rated(i % 3 > 0, float(i % 4 > 0)) for i in range(120)]
    figure = bootstrapped(statistics.kappa, rated)
    assert figure == bootstrapped(statistics.kappa, rated)
    assert figure.low is not None
    assert figure.low < figure.value < figure.high
