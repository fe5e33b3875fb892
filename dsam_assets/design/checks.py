"""Numbers of the pre-fit (P0) checks of the response and the design matrix.

Numbers only: the diagnostics stage judges them against the policy. `require_usable` is the exception, because a model
that cannot be estimated at all must stop before sampling.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dsam_assets.errors import DesignError
from dsam_assets.scales import FloatArray

if TYPE_CHECKING:
    from dsam_assets.data.findings import Finding
    from dsam_assets.design.matrix import ModelMatrix

INTERCEPT = "(Intercept)"
# R's lm and qr count a column as dependent when less than this share of its length is left after regressing it on the
# columns before it. It is far above rounding (1e-16) and below the reciprocal of a failing condition number (1e-6), so
# a matrix is first called ill-conditioned and only then rank deficient.
RANK_TOLERANCE = 1e-7
# Relative range below which a column is constant up to rounding.
CONSTANT_TOLERANCE = 1e-12
_BLOCK_BYTES = 4 * 2**20  # stays in the processor cache: twice as fast as 32 MiB


@dataclass(frozen=True)
class DesignChecks:
    """P0 numbers of one model matrix.

    Attributes:
        response_name: the response as written in the formula.
        n_rows, n_terms: shape of the design matrix, intercept included.
        non_finite_response: response values that are NaN or infinite on the model scale.
        non_finite_columns: design columns with NaN or infinite values; rank and condition number are then None.
        constant: constant columns other than the intercept.
        duplicates: (copy, original) for each column equal to an earlier one, constant columns left out.
        rank: rank of the design matrix; None when not computed.
        dependent: columns that are linear combinations of the columns before them; there are n_terms − rank of them.
        condition_number: largest over smallest singular value of the design matrix, intercept included, its columns
            scaled to unit length (Belsley, Kuh and Welsch, 1980), so that units of measurement do not matter; inf when
            exactly singular; None when not computed.
        findings: what was noticed while the matrix was built that weakens identification.
    """

    response_name: str
    n_rows: int
    n_terms: int
    non_finite_response: int
    non_finite_columns: tuple[str, ...]
    constant: tuple[str, ...]
    duplicates: tuple[tuple[str, str], ...]
    rank: int | None
    dependent: tuple[str, ...]
    condition_number: float | None
    findings: tuple[Finding, ...] = ()


def design_checks(matrix: ModelMatrix) -> DesignChecks:
    """Compute the P0 numbers, in row blocks: a million rows cost no copy of the matrix."""
    terms, values = matrix.terms, matrix.values
    bad = _non_finite_columns(values)
    constant = _constant_columns(terms, values, bad)
    usable = bool(values.size) and not bad.any()
    r = unit_r_factor(values) if usable else None
    dependent = () if r is None else tuple(terms[j] for j in dependent_columns(r))
    return DesignChecks(
        response_name=matrix.response_name,
        n_rows=values.shape[0],
        n_terms=len(terms),
        non_finite_response=int(np.count_nonzero(~np.isfinite(matrix.response))),
        non_finite_columns=tuple(term for term, is_bad in zip(terms, bad, strict=True) if is_bad),
        constant=tuple(terms[j] for j in constant),
        duplicates=tuple((terms[j], terms[i]) for j, i in _duplicates(values, constant)),
        rank=None if r is None else len(terms) - len(dependent),
        dependent=dependent,
        condition_number=None if r is None else condition_number(r),
        findings=matrix.findings,
    )


def require_usable(checks: DesignChecks) -> None:
    """Stop before sampling when the response or a column cannot be modelled; a rank deficit does not stop.

    Raises:
        DesignError: naming what was found and what to remove.
    """
    if checks.non_finite_response:
        raise DesignError(
            "The response has values that cannot be modelled.",
            where=checks.response_name,
            got=f"{checks.non_finite_response} of {checks.n_rows} values are missing or infinite on the model scale",
            wanted="finite values only",
            fix="Remove or impute them; a log response needs values above zero.",
        )
    if checks.non_finite_columns:
        raise DesignError(
            "The design matrix has columns with missing or infinite values.",
            where=", ".join(checks.non_finite_columns),
            wanted="finite values only",
            fix="Clean these columns, or set data.na_action: omit.",
        )
    if checks.constant or checks.duplicates:
        copies = [f"{copy} equals {original}" for copy, original in checks.duplicates]
        remove = [*checks.constant, *(copy for copy, _ in checks.duplicates)]
        raise DesignError(
            "The design matrix has constant or duplicate columns.",
            where="model.formula",
            got="; ".join([*(f"{name} is constant" for name in checks.constant), *copies]),
            wanted="columns that vary and differ from each other (the intercept apart)",
            fix=f"Remove from the formula: {', '.join(remove)}.",
        )


def row_blocks(n_rows: int, n_terms: int) -> Iterator[slice]:
    """Row slices of at most 4 MiB of a matrix of doubles."""
    size = max(n_terms, _BLOCK_BYTES // (8 * max(n_terms, 1)))
    return (slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size))


def unit_r_factor(values: FloatArray) -> FloatArray:
    """Triangular factor R (min(N, K) × K) of the QR of the matrix with columns of unit length.

    Householder QR commutes with column scaling, so R is computed from the raw rows, block by block, and scaled after.
    """
    n_rows, n_terms = values.shape
    r = np.empty((0, n_terms))
    for rows in row_blocks(n_rows, n_terms):
        r = np.linalg.qr(np.vstack([r, values[rows]]), mode="r")
    length = np.linalg.norm(r, axis=0)
    return np.asarray(r / np.where(length > 0, length, 1.0), dtype=np.float64)


def dependent_columns(r: FloatArray, tolerance: float = RANK_TOLERANCE) -> list[int]:
    """Columns that are linear combinations of earlier ones, as R's `lm` drops them.

    Args:
        r: R factor with unit columns.
        tolerance: share of its length that a column must keep after projection on the columns kept so far.
    """
    kept = np.empty((r.shape[0], 0))
    dependent = []
    for j in range(r.shape[1]):
        rest = r[:, j]
        for _ in range(2):  # projecting twice removes the rounding error of the first pass
            rest = rest - kept @ (kept.T @ rest)
        length = float(np.linalg.norm(rest))
        if length <= tolerance:
            dependent.append(j)
        else:
            kept = np.column_stack([kept, rest / length])
    return dependent


def condition_number(r: FloatArray) -> float:
    """Largest over smallest singular value; inf when the smallest is rounding error."""
    if r.shape[0] < r.shape[1]:
        return float("inf")
    singular = np.linalg.svd(r, compute_uv=False)
    floor = np.finfo(np.float64).eps * max(r.shape) * singular[0]
    return float(singular[0] / singular[-1]) if singular[-1] > floor else float("inf")


def _non_finite_columns(values: FloatArray) -> NDArray[np.bool_]:
    # A sum is NaN or infinite when one of its terms is; a finite overflow is as unusable as an infinite value.
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(~np.isfinite(np.einsum("ij,ij->j", values, values)))


def _constant_columns(terms: tuple[str, ...], values: FloatArray, bad: NDArray[np.bool_]) -> list[int]:
    if not values.shape[0]:
        return []
    low, high = values.min(axis=0), values.max(axis=0)
    with np.errstate(invalid="ignore"):
        flat = high - low <= CONSTANT_TOLERANCE * np.maximum(np.abs(low), np.abs(high))
    return [j for j, term in enumerate(terms) if flat[j] and not bad[j] and term != INTERCEPT]


def _duplicates(values: FloatArray, constant: list[int]) -> list[tuple[int, int]]:
    """(copy, original) positions of equal columns; sums pick the candidates, so few columns are compared in full."""
    first: dict[float, list[int]] = {}
    pairs = []
    for j in (j for j in range(values.shape[1]) if j not in constant):
        candidates = first.setdefault(float(values[:, j].sum()), [])
        original = next((i for i in candidates if np.array_equal(values[:, i], values[:, j])), None)
        if original is None:
            candidates.append(j)
        else:
            pairs.append((j, original))
    return pairs
