"""Dagster types of the assets' values: tables are validated by their schema, which also documents their columns."""

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from dsam_assets.assets.outcomes import beta_accepted
from dsam_assets.errors import DataError
from dsam_assets.report.tables import TABLES
from dsam_assets.tables import Table, validate
from resources.store import Encoded


def column_schema(table: Table) -> dg.TableSchema:
    """A table's columns as the UI shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                type=column.kind,
                description=f"{column.description} [{column.unit}]",
                constraints=dg.TableColumnConstraints(
                    nullable=column.nullable, unique=table.unique == (column.name,), other=_rules(column)
                ),
            )
            for column in table.columns
        ]
    )


def _rules(column: Any) -> list[str]:
    rules = [
        None if column.at_least is None else f"≥ {column.at_least:g}",
        None if column.at_most is None else f"≤ {column.at_most:g}",
        None if column.one_of is None else "one of " + ", ".join(column.one_of),
    ]
    return [rule for rule in rules if rule]


def table_type(name: str) -> dg.DagsterType:
    """Type of an asset that is one table."""
    return _type(name, TABLES[name].row, lambda value: {name: value})


def tables_type(name: str, description: str, tables_of: Callable[[Any], Mapping[str, Any]] = dict) -> dg.DagsterType:
    """Type of an asset that is, or holds, several tables by name."""
    return _type(name, description, tables_of)


def _type(name: str, description: str, tables_of: Callable[[Any], Mapping[str, Any]]) -> dg.DagsterType:
    def check(_: dg.TypeCheckContext, encoded: Encoded) -> dg.TypeCheck:
        if encoded.files is None:
            return dg.TypeCheck(success=True, description="reused; validated when it was made")
        try:
            for table, frame in tables_of(encoded.value).items():
                validate(TABLES[table], frame)
        except DataError as error:
            return dg.TypeCheck(success=False, description=str(error))
        return dg.TypeCheck(success=True)

    return dg.DagsterType(type_check_fn=check, name=f"table_{name}", description=description)


def table_columns(name: str) -> dict[str, dg.TableSchema]:
    """Definition metadata that documents a table's columns before the first run."""
    return {"dagster/column_schema": column_schema(TABLES[name])}


def raw_frame_type() -> dg.DagsterType:
    """Type of the landing table: a dagster-pandas frame with rows, and with text for column names."""
    from dagster_pandas import create_dagster_pandas_dataframe_type
    from dagster_pandas.constraints import ConstraintViolationException, DataFrameConstraint

    class Landed(DataFrameConstraint):
        def __init__(self) -> None:
            description = "at least one row, every column named by text"
            super().__init__(error_description=description, markdown_description=description)  # type: ignore[no-untyped-call]

        def validate(self, frame: Any) -> None:
            if frame.empty or not all(isinstance(name, str) for name in frame.columns):
                raise ConstraintViolationException(f"{len(frame)} rows, columns {list(frame.columns)}")

    with beta_accepted():
        landing: dg.DagsterType = create_dagster_pandas_dataframe_type(  # type: ignore[no-untyped-call]
            name="landing_frame", description="the data file as a frame", dataframe_constraints=[Landed()]
        )

    def check(context: dg.TypeCheckContext, encoded: Encoded) -> dg.TypeCheck:
        if encoded.files is None:
            return dg.TypeCheck(success=True, description="reused; validated when it was made")
        return landing.type_check(context, encoded.value)

    return dg.DagsterType(type_check_fn=check, name="landing_table", description=landing.description)
