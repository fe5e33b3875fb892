"""How an asset's value becomes files, and files become the value again.

A codec turns a value into named bytes. Same value, same bytes: the hash of the bytes is the asset's data version.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from dsam_assets.report.figures.catalogue import FIGURE_JSON
from resources.long_csv import long_csv

if TYPE_CHECKING:
    import pandas as pd

Files = dict[str, bytes]
Read = Callable[[str], bytes]

LONG_TABLE = 50_000  # rows; longer than a spreadsheet is read by eye, so speed counts for more than `1.0` for `1`
PREVIEW = ".preview.png"
SPREADSHEET_TRIGGERS = ("=", "+", "-", "@", "\t", "\r")


class Codec(Protocol):
    """Two inverse functions between a value and its files."""

    def encode(self, asset: str, value: Any) -> Files: ...

    def decode(self, asset: str, names: tuple[str, ...], read: Read) -> Any: ...


def parquet_bytes(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """UTF-8 CSV with floats that round-trip; text that a spreadsheet would run as a formula gets an apostrophe."""
    guarded = frame.copy(deep=False)
    for column in frame.select_dtypes(include=["object", "string", "category"]).columns:
        text = frame[column].astype(object)
        # Asked of the distinct values first: in a million rows there are few, and most often none is dangerous.
        guarded[column] = text.map(_guard) if any(map(_dangerous, text.unique())) else text
    fast = long_csv(guarded) if len(guarded) > LONG_TABLE else None
    return guarded.to_csv(index=False, lineterminator="\n").encode() if fast is None else fast


def _dangerous(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(SPREADSHEET_TRIGGERS)


def _guard(value: Any) -> Any:
    return "'" + value if _dangerous(value) else value


def json_bytes(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=_plain) + "\n").encode()


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no JSON form")


@dataclass(frozen=True)
class TableCodec:
    """One data frame: parquet for machines and, unless it is bulk data, CSV for people."""

    csv: bool = True

    def encode(self, asset: str, value: pd.DataFrame) -> Files:
        files = {f"{asset}.parquet": parquet_bytes(value)}
        return files | {f"{asset}.csv": csv_bytes(value)} if self.csv else files

    def decode(self, asset: str, names: tuple[str, ...], read: Read) -> pd.DataFrame:
        return read_parquet(read(f"{asset}.parquet"))


def read_parquet(content: bytes) -> pd.DataFrame:
    import pandas as pd

    return pd.read_parquet(io.BytesIO(content))


@dataclass(frozen=True)
class TablesCodec:
    """A mapping of names to data frames; with CSV for people, unless it is bulk data."""

    csv: bool = True

    def encode(self, asset: str, value: Mapping[str, pd.DataFrame]) -> Files:
        codec = TableCodec(self.csv)
        return {name: content for table, frame in value.items() for name, content in codec.encode(table, frame).items()}

    def decode(self, asset: str, names: tuple[str, ...], read: Read) -> dict[str, pd.DataFrame]:
        suffix = ".parquet"
        return {name.removesuffix(suffix): read_parquet(read(name)) for name in names if name.endswith(suffix)}


@dataclass(frozen=True)
class JsonCodec:
    """A JSON document."""

    def encode(self, asset: str, value: Any) -> Files:
        return {f"{asset}.json": json_bytes(value)}

    def decode(self, asset: str, names: tuple[str, ...], read: Read) -> Any:
        return json.loads(read(f"{asset}.json"))


@dataclass(frozen=True)
class TextCodec:
    """A mapping of file names to text."""

    def encode(self, asset: str, value: Mapping[str, str]) -> Files:
        return {name: text.encode() for name, text in value.items()}

    def decode(self, asset: str, names: tuple[str, ...], read: Read) -> dict[str, str]:
        return {name: read(name).decode() for name in names}


@dataclass(frozen=True)
class MatrixCodec:
    """A built model: its matrix as parquet (`x0`, `x1`, … since terms may have any name) and its facts as JSON, which
    are read back, and tables of what was left out, which are not.

    Group term i has its codes in `group_i` and its varying columns in `z_i_0`, `z_i_1`, …
    """

    def encode(self, asset: str, value: Any) -> Files:
        import pandas as pd

        tables, value = value.tables, value.matrix
        columns = {"row": value.rows, "response": value.response, "offset": value.offset}
        columns |= {f"x{position}": value.values[:, position] for position in range(len(value.terms))}
        for group in value.groups:
            columns[f"group_{group.index}"] = group.codes
            columns |= {f"z_{group.index}_{j}": group.values[:, j] for j in range(len(group.terms))}
        facts = {
            "terms": list(value.terms),
            "response_name": value.response_name,
            "response_scale": value.response_scale,
            "dropped": dict(value.dropped),
            "groups": [
                {"index": group.index, "group": group.group, "terms": group.terms, "levels": group.levels}
                for group in value.groups
            ],
            "group_means": list(value.group_means),
            "pooling": None if value.pooling is None else asdict(value.pooling),
            "findings": [asdict(finding) for finding in value.findings],
        }
        files = {f"{asset}.parquet": parquet_bytes(pd.DataFrame(columns)), f"{asset}.json": json_bytes(facts)}
        return files | TablesCodec().encode(asset, tables)

    def decode(self, asset: str, names: tuple[str, ...], read: Read) -> Any:
        from dsam_assets.data.findings import Finding
        from dsam_assets.design.matrix import ModelMatrix

        frame, facts = read_parquet(read(f"{asset}.parquet")), json.loads(read(f"{asset}.json"))
        return ModelMatrix(
            terms=tuple(facts["terms"]),
            values=_columns(frame, [f"x{position}" for position in range(len(facts["terms"]))]),
            response=frame["response"].to_numpy(),
            offset=frame["offset"].to_numpy(),
            response_name=facts["response_name"],
            response_scale=facts["response_scale"],
            rows=frame["row"].to_numpy(),
            dropped=facts["dropped"],
            groups=tuple(_group_term(frame, group) for group in facts["groups"]),
            group_means=tuple(facts["group_means"]),
            pooling=_pooling_map(facts["pooling"]),
            findings=tuple(Finding(**finding) for finding in facts["findings"]),
        )


def _columns(frame: pd.DataFrame, names: Sequence[str]) -> Any:
    """Columns side by side: four times as fast as filling an array one by one, and rows lie together in memory."""
    import numpy as np

    return np.column_stack([frame[name].to_numpy() for name in names]) if names else np.empty((len(frame), 0))


def _group_term(frame: pd.DataFrame, facts: Mapping[str, Any]) -> Any:
    from dsam_assets.design.groups import GroupTerm

    index, terms = facts["index"], tuple(facts["terms"])
    values = _columns(frame, [f"z_{index}_{j}" for j in range(len(terms))])
    codes = frame[f"group_{index}"].to_numpy()
    return GroupTerm(index, tuple(facts["group"]), terms, values, codes, tuple(facts["levels"]))


def _pooling_map(facts: Mapping[str, Any] | None) -> Any:
    from dsam_assets.data.pooling_map import PoolingMap

    if facts is None:
        return None
    labels = tuple(tuple(row) for row in facts["labels"])
    return PoolingMap(tuple(facts["variables"]), tuple(facts["grouping_vars"]), labels)


@dataclass(frozen=True)
class DrawsCodec:
    """A fit: its draws as netCDF that ArviZ and xarray open, its tables beside them. Only the draws are read back."""

    def encode(self, asset: str, value: Any) -> Files:
        from dsam_assets.fit.container import to_container

        return {f"{asset}.nc": netcdf_bytes(to_container(value.draws)), **TablesCodec().encode(asset, value.tables)}

    def decode(self, asset: str, names: tuple[str, ...], read: Read) -> Any:
        from dsam_assets.fit.container import from_container

        return from_container(read_netcdf(read(f"{asset}.nc")))


def netcdf_bytes(tree: Any) -> bytes:
    """An xarray DataTree as netCDF-4 bytes."""
    return bytes(tree.to_netcdf(engine="h5netcdf"))


def read_netcdf(content: bytes) -> Any:
    import xarray as xr

    return xr.open_datatree(io.BytesIO(content), engine="h5netcdf").load()


@dataclass(frozen=True)
class ReportCodec:
    """The verdict: its table, its text, its machine-readable reports, and what is needed to read the report back."""

    def encode(self, asset: str, value: Any) -> Files:
        from dsam_assets.diagnostics import calibration, report
        from dsam_assets.diagnostics.waivers import waiver_frame

        tables, value = value.loo, value.report
        policy = {
            "mode": value.policy_mode,
            "gating": value.gating,
            "enforce_publish_gate": value.enforce_publish_gate,
        }
        return {
            **TableCodec().encode(asset, value.to_frame()),
            **(TableCodec().encode("waivers", waiver_frame(value.waivers)) if value.waivers else {}),
            "diagnostics_summary.txt": report.summary_text(value).encode(),
            "convergence_report.json": json_bytes(report.convergence_json(value)),
            "pareto_k_summary.json": json_bytes(report.pareto_k_json(value, tables)),
            "calibration_report.json": json_bytes(calibration.calibration_json(value, tables)),
            "policy.json": json_bytes(policy),
        }

    def decode(self, asset: str, names: tuple[str, ...], read: Read) -> Any:
        from dsam_assets.diagnostics.report import report_from_frame
        from dsam_assets.diagnostics.waivers import waivers_from_frame

        tables = TablesCodec().decode(asset, names, read)
        waivers = waivers_from_frame(tables["waivers"]) if "waivers" in tables else ()
        return report_from_frame(tables[asset], **json.loads(read("policy.json")), waivers=waivers)


@dataclass(frozen=True)
class SliceCodec:
    """A slice of the config as JSON; infinite bounds are written as the config writes them."""

    def encode(self, asset: str, value: Any) -> Files:
        return {_slice_file(asset): json_bytes(_infinities(value.model_dump(mode="json", by_alias=True)))}

    def decode(self, asset: str, names: tuple[str, ...], read: Read) -> Any:
        from dsam_assets.config.slices import SLICES

        name = asset.rpartition("/")[2]
        return SLICES[name].model_validate(json.loads(read(_slice_file(asset))))


def _slice_file(asset: str) -> str:
    return f"{asset.replace('/', '.')}.json"


def _infinities(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _infinities(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_infinities(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return ".Inf" if value > 0 else "-.Inf"
    return value


@dataclass(frozen=True)
class DocumentTablesCodec:
    """Stamped tables, and one JSON document that holds them and their reliability."""

    document: str

    def encode(self, asset: str, value: Any) -> Files:
        return {**TablesCodec().encode(asset, value.tables), self.document: json_bytes(value.document())}

    def decode(self, asset: str, names: tuple[str, ...], read: Read) -> Any:
        from dsam_assets.diagnostics.stamped import StampedTables

        stamp, tables = json.loads(read(self.document)), TablesCodec().decode(asset, names, read)
        return StampedTables(tables, stamp["reliability"], stamp["diagnostics_overall"], tuple(stamp["reasons"]))


@dataclass(frozen=True)
class FiguresCodec:
    """Figures as plotly's JSON with a list of them, their PNGs, and a small PNG for the UI. Figures are read back."""

    def encode(self, asset: str, value: Any) -> Files:
        files = {f"{asset}.json": json_bytes(sorted(value.figures))}
        files |= {f"{name}{FIGURE_JSON}": figure.to_json().encode() for name, figure in value.figures.items()}
        files |= {f"{name}.png": content for name, content in value.images.items()}
        return files if value.preview is None else files | {f"{asset}{PREVIEW}": value.preview}

    def decode(self, asset: str, names: tuple[str, ...], read: Read) -> dict[str, str]:
        found = [name for name in names if name.endswith(FIGURE_JSON)]
        return {name.removesuffix(FIGURE_JSON): read(name).decode() for name in found}


@dataclass(frozen=True)
class PagesCodec:
    """Tables with one JSON document that holds them, and pages for people."""

    document: str

    def encode(self, asset: str, value: Any) -> Files:
        pages = {name: text.encode() for name, text in value.pages.items()}
        return {**DocumentTablesCodec(self.document).encode(asset, value), **pages}

    def decode(self, asset: str, names: tuple[str, ...], read: Read) -> Any:
        return json.loads(read(self.document))


CODECS: dict[str, Codec] = {
    "figures": FiguresCodec(),
    "table": TableCodec(),
    "bulk_table": TableCodec(csv=False),
    "tables": TablesCodec(),
    "bulk_tables": TablesCodec(csv=False),
    "json": JsonCodec(),
    "text": TextCodec(),
    "matrix": MatrixCodec(),
    "draws": DrawsCodec(),
    "report": ReportCodec(),
    "slice": SliceCodec(),
    "allocation": DocumentTablesCodec("budget_optimisation.json"),
    "response_curves": DocumentTablesCodec("budget_response_curves.json"),
    "efficient_frontier": DocumentTablesCodec("budget_efficient_frontier.json"),
    "fleet_status": PagesCodec("fleet_status.json"),
    "comparison": DocumentTablesCodec("model_comparison.json"),
    "forecast": DocumentTablesCodec("forecast.json"),
}
