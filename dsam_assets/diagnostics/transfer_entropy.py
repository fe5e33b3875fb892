"""Transfer entropy between media and the KPI: whose past helps to predict whom. Information, never a gate.

With x and y in quantile bins, the transfer entropy from x to y at lag 1 is (Schreiber, 2000)

    TE = Σ p(y₁, y₀, x₀) log [ p(y₁ | y₀, x₀) / p(y₁ | y₀) ]   in nats, y₁ one step after y₀ and x₀,

the conditional mutual information of y₁ and x₀ given y₀, estimated by relative frequencies. That estimate is above zero
even where nothing flows, so the mean of shuffled sources is subtracted (Marschinski and Kantz, 2002), and p is the
share of shuffles that reach the estimate. Blocks of a quarter are shuffled, from a random start, and not single weeks:
media and KPIs move slowly, and slow independent series look dependent when only one of them keeps its pace (measured
with autocorrelation 0.95: 12 % false positives at the 5 % level with single weeks, 6–7 % with quarters; 4–6 % both ways
without autocorrelation, with the same power). What both series share, such as a season, still counts as flow.

In a panel, values are binned, paired and shuffled within each unit, and the counts are added up.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.diagnostics.rows import listed
from dsam_assets.diagnostics.series import UnitSeries, unit_series, usual_step
from dsam_assets.scales import FloatArray

if TYPE_CHECKING:
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.diagnostics.data_checks import Channel
    from dsam_assets.diagnostics.identifiability import IdentifiabilityLike

Direction = Literal["media_to_kpi", "kpi_to_media"]
IntArray = NDArray[np.intp]

DIRECTIONS: tuple[Direction, ...] = ("media_to_kpi", "kpi_to_media")
PERMUTATIONS = 999
BLOCK_ROWS = 13
LEVEL = 0.05
LEAST_PAIRS = 30
MOST_ROWS = 5_000
_LONG = 100
_BLOCK_CELLS = 2_000_000
# A shuffle that only repeats the estimate can differ from it by rounding.
_ROUNDING = 1e-12
_COLUMNS = (
    "term", "direction", "pairs", "bins", "permutations", "te", "te_shuffled", "te_effective", "p", "q", "note",
)  # fmt: skip
_NO_TERMS = "Not computed: neither allocation.channels nor diagnostics.identifiability.media_terms names a media term."
_NOTED = ("term", "direction", "q", "note")
_NOTES: dict[Direction, str] = {
    "media_to_kpi": "The past of {term} helps to predict the KPI beyond the KPI's own past.",
    "kpi_to_media": (
        "The KPI's past helps to predict {term} beyond its own past: both may follow the season, or spend follows "
        "demand, and then the model credits {term} with sales that it did not cause."
    ),
}


@dataclass(frozen=True)
class PairedSeries:
    """The rows in use, and which of them follow each other.

    Attributes:
        rows: positions among the modelled rows, unit by unit in time order, shape (M,).
        units: each unit's part of `rows`.
        before, after: positions in `rows` of neighbours one step apart within a unit, shape (pairs,).
        bins: bins per series.
    """

    rows: IntArray
    units: tuple[slice, ...]
    before: IntArray
    after: IntArray
    bins: int


@dataclass(frozen=True)
class TransferEntropy:
    """An estimate and its shuffles, in nats; p is from 1/(permutations + 1) to 1."""

    estimate: float
    shuffled_mean: float
    p: float

    @property
    def effective(self) -> float:
        """The estimate less what chance gives."""
        return self.estimate - self.shuffled_mean


def media_terms(channels: Sequence[Channel], identifiability: IdentifiabilityLike) -> tuple[str, ...]:
    """What the config says are media: terms of the allocation's channels, then further media terms."""
    return tuple(dict.fromkeys([*(channel.term for channel in channels), *identifiability.media_terms]))


def transfer_entropy_facts(table: pd.DataFrame) -> dict[str, int | str]:
    """Key numbers for the asset's metadata: how many terms were tested, and what was found in each direction."""
    found = table[table["q"] <= LEVEL].groupby("direction")["term"].agg(list)
    tested = table.loc[table["permutations"] > 0, "term"].nunique()
    return {"terms": tested, **{direction: listed(found.get(direction, [])) for direction in DIRECTIONS}}


def transfer_entropy_report(
    matrix: ModelMatrix, labels: pd.DataFrame, terms: Sequence[str], *, seed: int, permutations: int = PERMUTATIONS
) -> pd.DataFrame:
    """Transfer entropy from each media term to the KPI and back, at lag 1.

    Three bins below 100 rows in the longest unit, four above. Rows are pairs where their dates are one usual step
    apart. Of very long data the latest rows of evenly spaced units are used, 5,000 in all.

    Args:
        matrix: the model matrix; bins go by rank, so a log response has those of the KPI.
        labels: `design.labels.row_labels` of it.
        terms: media terms, see `media_terms`; without any, the report says so.
        seed: of the shuffles; each term has its own, so that another term does not change it.
        permutations: shuffles per term and direction.

    Returns:
        Two rows per term: term, direction, pairs, bins, permutations, te, te_shuffled (mean of the shuffles),
        te_effective (their difference), p, q (Benjamini–Hochberg over the terms of one direction), note (what a q of at
        most 5 % means, or why nothing was computed; else empty). Numbers are missing where nothing was computed.
    """
    pairs, reason = paired_series(unit_series(labels))
    rows = [
        _report_row(matrix, term, direction, pairs, reason, seed, permutations)
        for direction in DIRECTIONS
        for term in dict.fromkeys(terms or [""])
    ]
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    numbers = ("te", "te_shuffled", "te_effective", "p", "q")
    table = table.astype(dict.fromkeys(("pairs", "bins", "permutations"), "int64") | dict.fromkeys(numbers, "float64"))
    for _, part in table.groupby("direction"):
        table.loc[part.index, "q"] = benjamini_hochberg(part["p"].to_numpy())
    return table.assign(note=[_note(*found) for found in zip(*(table[name] for name in _NOTED), strict=True)])


def _note(term: str, direction: Direction, q: float, note: str) -> str:
    """What a small q means; a note that says why there is none stays."""
    return _NOTES[direction].format(term=term) if q <= LEVEL else note


def _report_row(
    matrix: ModelMatrix, term: str, direction: Direction, pairs: PairedSeries, reason: str, seed: int, permutations: int
) -> dict[str, object]:
    row: dict[str, object] = {
        "term": term, "direction": direction, "pairs": len(pairs.before), "bins": pairs.bins, "permutations": 0,
        "note": reason,
    }  # fmt: skip
    if not term:
        row["note"] = _NO_TERMS
    elif not reason and term not in matrix.terms:
        row["note"] = "Not computed: not a column of the design matrix."
    if row["note"]:
        return row
    values = (matrix.values[pairs.rows, matrix.terms.index(term)], matrix.response[pairs.rows])
    if not all(np.isfinite(each).all() for each in values):
        return row | {"note": f"Not computed: {term} or {matrix.response_name} has values that are not finite."}
    media, kpi = (binned(each, pairs) for each in values)
    flat = [name for name, codes in ((term, media), (matrix.response_name, kpi)) if not _varies(codes, pairs)]
    if flat:
        return row | {"note": f"Not computed: {' and '.join(flat)} does not vary within any unit."}
    source, target = (media, kpi) if direction == "media_to_kpi" else (kpi, media)
    rng = np.random.default_rng([seed, zlib.crc32(term.encode()), DIRECTIONS.index(direction)])
    found = transfer_entropy(source, target, pairs, rng, permutations)
    return row | {
        "permutations": permutations, "te": found.estimate, "te_shuffled": found.shuffled_mean,
        "te_effective": found.effective, "p": found.p,
    }  # fmt: skip


def paired_series(series: tuple[UnitSeries, ...]) -> tuple[PairedSeries, str]:
    """Neighbouring rows of every unit, and why they cannot be used (else an empty text)."""
    kept = _kept(series)
    sizes = [len(each.rows) for each in kept]
    ends = np.cumsum(sizes)
    before = _before(kept)
    units = tuple(slice(end - size, end) for size, end in zip(sizes, ends.tolist(), strict=True))
    rows = np.concatenate([each.rows for each in kept])
    paired = PairedSeries(rows, units, before, before + 1, 3 if max(sizes) < _LONG else 4)
    repeated = next((each for each in kept if each.repeated.size), None)
    if repeated is not None:
        return paired, f"Not computed: dates repeat, the first {repeated.repeated[0]}, so the rows are not one series."
    if before.size < LEAST_PAIRS:
        return paired, f"Not computed: {before.size} pairs of neighbouring rows, fewer than {LEAST_PAIRS}."
    return paired, ""


def _kept(series: tuple[UnitSeries, ...]) -> list[UnitSeries]:
    """Evenly spaced units, and their latest rows, so that the work stays bounded."""
    mean = sum(len(each.rows) for each in series) / len(series)
    count = int(np.clip(MOST_ROWS // mean, 1, len(series)))
    return [series[i].latest(MOST_ROWS) for i in np.linspace(0, len(series) - 1, count).round().astype(int)]


def _before(kept: list[UnitSeries]) -> IntArray:
    """Positions, among all rows end to end, of those that a neighbour follows one step later."""
    step, start, found = usual_step(kept), 0, []
    for each in kept:
        follows = np.ones(len(each.rows) - 1, dtype=bool) if step is None else each.steps == step
        found.append(start + np.flatnonzero(follows))
        start += len(each.rows)
    return np.concatenate(found)


def binned(values: FloatArray, pairs: PairedSeries) -> IntArray:
    """Bins by rank within each unit, shape (M,).

    Equal values share a bin, the one of their mean rank, so that many zeros do not spill over; the two values of an
    on/off series never share one.
    """
    codes = np.empty(len(values), dtype=np.intp)
    for rows in pairs.units:
        rank = pd.Series(values[rows]).rank(method="average").to_numpy()
        codes[rows] = np.floor(pairs.bins * (rank - 0.5) / len(rank))
    return codes


def _varies(codes: IntArray, pairs: PairedSeries) -> bool:
    return any(np.ptp(codes[rows]) > 0 for rows in pairs.units)


def transfer_entropy(
    source: IntArray, target: IntArray, pairs: PairedSeries, rng: np.random.Generator, permutations: int
) -> TransferEntropy:
    """Transfer entropy from one binned series to another, with its distribution under shuffled sources."""
    history = (target[pairs.after] * pairs.bins + target[pairs.before]) * pairs.bins
    estimate = float(_from_counts(history, source[pairs.before][np.newaxis], pairs.bins)[0])
    shuffled = np.concatenate(
        [
            _from_counts(history, sources[:, pairs.before], pairs.bins)
            for sources in _shuffled(source, pairs, rng, permutations)
        ]
    )
    reached = np.count_nonzero(shuffled >= estimate - _ROUNDING)
    return TransferEntropy(estimate, float(shuffled.mean()), (1 + reached) / (1 + permutations))


def _from_counts(history: IntArray, sources: IntArray, bins: int) -> FloatArray:
    """Plug-in estimates for sources of shape (S, pairs): Σ n log n over the cells of four tables, by entropies."""
    count, pairs = sources.shape
    cells = history + sources + bins**3 * np.arange(count)[:, np.newaxis]
    table = np.bincount(cells.ravel(), minlength=count * bins**3).reshape(count, bins, bins, bins)  # (S, y₁, y₀, x₀)
    joint, own = _n_log_n(table), _n_log_n(table.sum(axis=3))
    both, past = _n_log_n(table.sum(axis=1)), _n_log_n(table.sum(axis=(1, 3)))
    return np.asarray((joint - own - both + past) / pairs, dtype=np.float64)


def _n_log_n(counts: NDArray[np.intp]) -> FloatArray:
    values = counts.reshape(len(counts), -1).astype(np.float64)
    return np.asarray((values * np.log(np.maximum(values, 1.0))).sum(axis=1), dtype=np.float64)


def _shuffled(source: IntArray, pairs: PairedSeries, rng: np.random.Generator, permutations: int) -> Iterator[IntArray]:
    """Sources with the blocks of every unit in random order, shape (some permutations, M)."""
    step = max(1, _BLOCK_CELLS // len(source))
    for start in range(0, permutations, step):
        count = min(step, permutations - start)
        shuffled = np.empty((count, len(source)), dtype=np.intp)
        for rows in pairs.units:
            shuffled[:, rows] = source[rows][block_orders(rows.stop - rows.start, count, rng)]
        yield shuffled


def block_orders(size: int, count: int, rng: np.random.Generator) -> IntArray:
    """Random orders of 0 … size−1, shape (count, size), that keep blocks of neighbours together.

    The circle of positions is cut at a random place into blocks of 13 (in short series, a quarter of them).
    """
    length = max(1, min(BLOCK_ROWS, size // 4))
    blocks = -(-size // length)
    order = np.argsort(rng.random((count, blocks)), axis=1)
    positions = (order[:, :, np.newaxis] * length + np.arange(length)).reshape(count, -1)
    inside = positions[positions < size].reshape(count, size)  # the last block may be shorter
    return np.asarray((inside + rng.integers(size, size=(count, 1))) % size, dtype=np.intp)


def benjamini_hochberg(p: FloatArray) -> FloatArray:
    """q-values: the smallest false discovery rate at which each test is a discovery (Benjamini and Hochberg, 1995).

    Missing p-values stay missing and do not count as tests.
    """
    q = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    raw = p[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum.accumulate(raw[::-1])[::-1]
    return q
