"""The ArviZ container of posterior draws.

The only module that knows how ArviZ lays draws out (an xarray DataTree with groups `posterior` and `sample_stats`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dsam_assets.fit.draws import Draws, GroupDeviations
from dsam_assets.scales import FloatArray

if TYPE_CHECKING:
    import xarray as xr

    from dsam_assets.design.matrix import ModelMatrix

DEVIATION = "group_deviation_"
FILES = "files"


def to_container(draws: Draws) -> xr.DataTree:
    """The draws as an ArviZ container.

    The group `posterior` holds `coef (chain, draw, term)`, `noise_sd (chain, draw)` and, where the model has them,
    `group_sd (…, group_sd_term)`, `label_coef (…, label)` and per group term i (from 1) the deviations
    `group_deviation_i (…, group_i, group_term_i)`. With a single grouping key there is also `group_coef (…, group,
    term)`, the coefficients of each group.
    """
    import xarray as xr

    chains, size = draws.noise_sd.shape
    steps = {"chain": np.arange(chains), "draw": np.arange(size)}
    posterior = xr.Dataset(
        {
            "coef": (("chain", "draw", "term"), draws.coef),
            "noise_sd": (("chain", "draw"), draws.noise_sd),
            **_named("group_sd", "group_sd_term", draws.group_sd),
            **_named("label_coef", "label", draws.label_coef),
            **_group_variables(draws.deviations),
            **_group_coefficients(draws),
        },
        coords={**steps, "term": list(draws.terms), **_coordinates(draws)},
        attrs=dict(draws.attributes),
    )
    statistics = xr.Dataset(
        {name: (("chain", "draw"), values) for name, values in draws.sampler.items()},
        coords=steps,
        attrs={"max_treedepth": draws.max_treedepth},
    )
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": statistics})


def _named(variable: str, dimension: str, values: Mapping[str, FloatArray]) -> dict[str, Any]:
    return {variable: (("chain", "draw", dimension), np.stack(list(values.values()), axis=-1))} if values else {}


def _group_variables(deviations: tuple[GroupDeviations, ...]) -> dict[str, Any]:
    return {
        f"{DEVIATION}{index}": (
            ("chain", "draw", f"group_{index}", f"group_term_{index}"),
            each.values,
            {"key": each.key},
        )
        for index, each in enumerate(deviations, start=1)
    }


def _group_coefficients(draws: Draws) -> dict[str, Any]:
    """Coefficients by group, where one grouping key makes them unambiguous."""
    if len({each.key for each in draws.deviations}) != 1:
        return {}
    terms = draws.all_terms
    values = np.zeros((*draws.noise_sd.shape, len(draws.deviations[0].levels), len(terms)))
    values[..., : len(draws.terms)] = draws.coef[:, :, None, :]
    for each in draws.deviations:
        values[..., [terms.index(term) for term in each.terms]] += each.values
    return {"group_coef": (("chain", "draw", "group", "group_coef_term"), values)}


def _coordinates(draws: Draws) -> dict[str, list[str]]:
    named = {"group_sd_term": list(draws.group_sd), "label": list(draws.label_coef)}
    for index, each in enumerate(draws.deviations, start=1):
        named |= {f"group_{index}": list(each.levels), f"group_term_{index}": list(each.terms)}
    if len({each.key for each in draws.deviations}) == 1:
        named |= {"group": list(draws.deviations[0].levels), "group_coef_term": list(draws.all_terms)}
    return {name: labels for name, labels in named.items() if labels}


def model_container(
    draws: Draws, matrix: ModelMatrix, config_text: str, files: Mapping[str, bytes] | None = None
) -> xr.DataTree:
    """Everything needed to reload a fitted model: draws, model matrix, resolved config and data in one container.

    The group `model` holds `design (row, term)`, `response (row)` and `offset (row)` in data units on the model scale
    and, per group term i, `group_code_i (row)` and `group_design_i (row, group_term_i)`. The group `files` holds
    further files byte by byte, a variable each (`stored_files` reads them back): the data as parquet lose nothing,
    whatever their columns hold.
    """
    import xarray as xr

    group_variables: dict[str, Any] = {}
    coordinates: dict[str, Any] = {"row": matrix.rows, "term": list(matrix.terms)}
    for group in matrix.groups:
        group_variables[f"group_code_{group.index}"] = (("row",), group.codes)
        group_variables[f"group_design_{group.index}"] = (("row", f"group_term_{group.index}"), group.values)
        coordinates |= {f"group_{group.index}": list(group.levels), f"group_term_{group.index}": list(group.terms)}
    model = xr.Dataset(
        {
            "design": (("row", "term"), matrix.values),
            "response": (("row",), matrix.response),
            "offset": (("row",), matrix.offset),
            **group_variables,
        },
        coords=coordinates,
        attrs={
            "response_name": matrix.response_name,
            "response_scale": matrix.response_scale,
            "config": config_text,
        },
    )
    groups = {name: node.to_dataset() for name, node in to_container(draws).children.items()}
    return xr.DataTree.from_dict({**groups, "model": model, **_file_group(files or {})})


def _file_group(files: Mapping[str, bytes]) -> dict[str, xr.Dataset]:
    import xarray as xr

    if not files:
        return {}
    contents = {name: ((f"bytes of {name}",), np.frombuffer(content, np.uint8)) for name, content in files.items()}
    return {FILES: xr.Dataset(contents)}


def stored_files(tree: xr.DataTree) -> dict[str, bytes]:
    """The files that `model_container` was given."""
    if FILES not in tree.children:
        return {}
    return {str(name): values.values.tobytes() for name, values in tree[FILES].to_dataset().data_vars.items()}


def from_container(tree: xr.DataTree) -> Draws:
    """The draws in an ArviZ container that `to_container` made."""
    posterior, statistics = tree["posterior"].to_dataset(), tree["sample_stats"].to_dataset()
    return Draws(
        terms=_labels(posterior, "term"),
        coef=posterior["coef"].values,
        noise_sd=posterior["noise_sd"].values,
        sampler={str(name): values.values for name, values in statistics.data_vars.items()},
        max_treedepth=int(statistics.attrs["max_treedepth"]),
        attributes={str(key): _plain(value) for key, value in posterior.attrs.items()},
        group_sd=_by_name(posterior, "group_sd", "group_sd_term"),
        label_coef=_by_name(posterior, "label_coef", "label"),
        deviations=_deviations(posterior),
    )


def _by_name(posterior: xr.Dataset, variable: str, dimension: str) -> dict[str, FloatArray]:
    if variable not in posterior:
        return {}
    values = posterior[variable].values
    return {name: values[..., position] for position, name in enumerate(_labels(posterior, dimension))}


def _deviations(posterior: xr.Dataset) -> tuple[GroupDeviations, ...]:
    count = sum(str(name).startswith(DEVIATION) for name in posterior.data_vars)
    return tuple(
        GroupDeviations(
            key=str(posterior[f"{DEVIATION}{index}"].attrs["key"]),
            levels=_labels(posterior, f"group_{index}"),
            terms=_labels(posterior, f"group_term_{index}"),
            values=posterior[f"{DEVIATION}{index}"].values,
        )
        for index in range(1, count + 1)
    )


def _labels(posterior: xr.Dataset, dimension: str) -> tuple[str, ...]:
    return tuple(str(label) for label in posterior[dimension].values)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
