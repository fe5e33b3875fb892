"""Schemas of the tables of model selection: PSIS-LOO, folds in time and the comparison of runs."""

from __future__ import annotations

from dsam_assets.report.columns import DATE, GROUP, MODEL, ROW, count, number, text
from dsam_assets.tables import Column, Table

KPI = "KPI units"
TSCV_SCORES = (
    number("elpd", "nats", "log predictive density of the held-out rows, model scale; higher is better", nullable=True),
    number("se_elpd", "nats", "its standard error, rows taken as independent", nullable=True, at_least=0),
    number("kpi_elpd", "nats", "the same on the KPI scale (Jacobian of a log response)", nullable=True),
    number("se_kpi_elpd", "nats", "its standard error", nullable=True, at_least=0),
    number("rmse", MODEL, "root mean squared error of the predictive mean, model scale", nullable=True, at_least=0),
    number("smape", "share", "mean of 2|y − f| / (|y| + |f|), model scale", nullable=True, at_least=0, at_most=2),
    number("rmse_kpi", KPI, "root mean squared error on the KPI scale", nullable=True, at_least=0),
    number("smape_kpi", "share", "mean of 2|y − f| / (|y| + |f|), KPI scale", nullable=True, at_least=0, at_most=2),
    number(
        "coverage_90", "share", "rows inside the central 90 % of their prediction", nullable=True, at_least=0, at_most=1
    ),
    number("max_pareto_k", "shape", "leave_future_out: largest Pareto k of the weeks' weights", nullable=True),
)
METHODS = ("blocked_cv", "leave_future_out")
LOO_METHODS = ("psis", "moment_match", "exact")


def date(name: str, description: str, **rules: object) -> Column:
    return Column(name, "date", "date", description, **rules)  # type: ignore[arg-type]


SELECTION_TABLES: tuple[Table, ...] = (
    Table(
        "loo_summary",
        "the fit",
        (
            Column("status", "text", "text", "whether PSIS-LOO was computed", one_of=("ok", "skipped")),
            text("reason", "why it was not", nullable=True),
            text("method", "how it was computed"),
            text("scale", "scale of elpd_loo", nullable=True),
            text("response_scale", "scale of the likelihood", nullable=True),
            number("elpd_loo", "nats", "expected log predictive density; higher is better", nullable=True),
            number("se_elpd_loo", "nats", "its standard error", nullable=True),
            number("se_subsampling", "nats", "the part of it from scoring a sample of rows", nullable=True),
            number("p_loo", "parameters", "effective number of parameters", nullable=True),
            number("looic", "deviance", "−2 elpd_loo", nullable=True),
            number("kpi_elpd_loo", "nats", "elpd_loo on the KPI scale (Jacobian of a log response)", nullable=True),
            number("se_kpi_elpd_loo", "nats", "its standard error", nullable=True),
            count("n_rows", "modelled rows", nullable=True),
            count("n_scored", "rows scored", nullable=True),
            count("n_draws", "draws used", nullable=True),
            number("r_eff", "ratio", "relative efficiency of the draws", nullable=True),
            number("max_pareto_k", "shape", "largest Pareto k", nullable=True),
            number("pareto_k_warn", "shape", "threshold of influential rows", nullable=True),
            count("n_k_above_warn", "rows above it", nullable=True),
            count("n_k_le_0_5", "rows with k ≤ 0.5", nullable=True),
            count("n_k_0_5_to_0_7", "rows with 0.5 < k ≤ 0.7", nullable=True),
            count("n_k_gt_0_7", "rows with k > 0.7", nullable=True),
            count("n_k_gt_1", "rows with k > 1", nullable=True),
            count("n_k_not_computed", "rows without k", nullable=True),
            text("warnings", "sentences for the reader", nullable=True),
        ),
    ),
    Table(
        "loo_pointwise",
        "one scored row",
        (
            ROW,
            DATE,
            GROUP,
            number("elpd_loo", "nats", "log predictive density of the row, model scale", nullable=True),
            number("p_loo", "parameters", "the row's share of p_loo", nullable=True),
            number("pareto_k", "shape", "Pareto k", nullable=True),
            text("k_band", "good, ok, bad, very_bad or not_computed"),
            Column("influential", "flag", "true/false", "k above the warning threshold, or not computed"),
            Column("top_n", "flag", "true/false", "among the largest k"),
            Column("method", "text", "text", "how it was scored", required=False, one_of=LOO_METHODS),
        ),
    ),
    Table(
        "tscv_status",
        "the market",
        (
            Column("enabled", "flag", "true/false", "whether time-series selection was asked for"),
            Column("method", "text", "text", "how blocks are predicted", one_of=METHODS),
            count("folds", "folds asked for"),
        ),
    ),
    Table(
        "tscv_summary",
        "the market, over all scored folds",
        (
            Column("status", "text", "text", "what came of it", one_of=("ok", "partial", "skipped", "error")),
            text("reason", "why folds are missing; may be empty", nullable=True),
            Column("method", "text", "text", "how blocks are predicted", one_of=METHODS),
            text("response_scale", "identity or log", nullable=True),
            count("horizon_weeks", "weeks held out per fold"),
            count("stride_weeks", "weeks between origins"),
            count("min_train_weeks", "least weeks of training rows"),
            count("folds_requested", "folds asked for"),
            count("folds_possible", "folds that the data allow"),
            count("folds_scored", "folds that were fitted and scored"),
            count("folds_not_converged", "of these, folds whose chains do not agree", nullable=True),
            count("n_rows", "scored rows; twice where blocks overlap", nullable=True),
            date("holdout_start", "first held-out date", nullable=True),
            date("holdout_end", "last held-out date", nullable=True),
            *TSCV_SCORES,
            text("notes", "sentences for the reader; may be empty"),
        ),
    ),
    Table(
        "tscv_folds",
        "one origin in time, earliest first",
        (
            count("fold", "number of the fold"),
            date("train_start", "first date before the origin"),
            date("train_end", "last date before the origin"),
            count("train_weeks", "weeks with training rows"),
            count("train_rows", "rows that were fitted"),
            date("holdout_start", "first held-out date"),
            date("holdout_end", "last held-out date"),
            count("holdout_rows", "held-out rows"),
            Column("status", "text", "text", "outcome", one_of=("ok", "not_converged", "error")),
            text("message", "why it was not fitted, or what did not converge; may be empty"),
            text("left_out", "terms left out, constant in the training rows; may be empty"),
            text("new_groups", "groups without a training row; may be empty"),
            *TSCV_SCORES,
            number("max_rhat", "ratio", "largest R-hat", nullable=True),
            number("min_ess_bulk", "draws", "smallest bulk effective sample size", nullable=True),
            count("divergences", "diverging draws", nullable=True),
        ),
        unique=("fold",),
    ),
    Table(
        "tscv_pointwise",
        "one held-out row of one fold",
        (
            count("fold", "number of the fold"),
            ROW,
            DATE,
            GROUP,
            count("weeks_ahead", "weeks after the origin, from 1"),
            number("observed", MODEL, "observed response, model scale"),
            number("predicted", MODEL, "mean of the prediction, model scale", nullable=True),
            number("observed_kpi", KPI, "observed response, KPI scale"),
            number("predicted_kpi", KPI, "mean of the prediction, KPI scale", nullable=True),
            number("elpd", "nats", "log predictive density, model scale", nullable=True),
            number("kpi_elpd", "nats", "log predictive density, KPI scale", nullable=True),
            number("pit", "probability", "predictive probability of a smaller value", nullable=True),
            Column("covered", "flag", "true/false", "inside the central 90 % of its prediction"),
            number("pareto_k", "shape", "of the weights of its week; missing where nothing is weighed", nullable=True),
        ),
        unique=("fold", "row"),
    ),
    Table(
        "model_comparison",
        "one run; in the asset, one market",
        (
            count(
                "comparison_set", "markets of one number fit the same rows of the same response; missing when alone",
                nullable=True, required=False,
            ),
            count("rank", "place by ELPD; missing when not ranked", nullable=True),
            text("run", "label of the run folder, or the market"),
            text("path", "the run folder, or the market's folder in the store"),
            Column("recommended", "flag", "true/false", "the preferred run"),
            text("reason", "why it is not ranked; empty when it is"),
            *(
                text(name, description, nullable=True)
                for name, description in (
                    ("market", "partition"), ("model_name", "model.name"), ("model_type", "class of model"),
                    ("formula", "model.formula"), ("response", "KPI column"), ("response_scale", "identity or log"),
                    ("status", "complete or halted"), ("overall", "overall status; fail once a waiver has expired"),
                    ("reliability", "final, provisional or blocked"),
                )
            ),
            Column("converged", "flag", "true/false", "whether convergence was shown", nullable=True),
            text("waived", "failures waived when it was made, and until when; empty without waivers", nullable=True),
            count("n_rows", "rows compared; of an unranked run, its rows", nullable=True),
            number("kpi_elpd_loo", "nats", "expected log predictive density of these rows, KPI scale", nullable=True),
            number("se_kpi_elpd_loo", "nats", "its standard error", nullable=True),
            number("elpd_diff", "nats", "difference to the first run; 0 or below", nullable=True),
            number("se_diff", "nats", "its standard error over paired rows", nullable=True, at_least=0),
            number("p_loo", "parameters", "effective number of parameters", nullable=True),
            number("max_pareto_k", "shape", "largest Pareto k", nullable=True),
            count("n_k_gt_0_7", "rows with k > 0.7", nullable=True),
            text("tscv_status", "outcome of time-series selection", nullable=True),
            text("tscv_method", "its method", nullable=True),
            count("tscv_folds_scored", "its scored folds", nullable=True),
            count("tscv_n_rows", "its scored rows", nullable=True),
            number("tscv_kpi_elpd", "nats", "its log predictive density, KPI scale", nullable=True),
            number("tscv_rmse_kpi", KPI, "its root mean squared error", nullable=True),
            number("tscv_smape_kpi", "share", "its SMAPE on the KPI scale", nullable=True),
            number("tscv_coverage_90", "share", "coverage of its 90 % intervals", nullable=True),
            number("r2", "share", "in-sample R², median over draws", nullable=True, required=False),
            number("rmse", MODEL, "in-sample root mean squared error, over draws", nullable=True, required=False),
            number("smape", "share", "in-sample SMAPE, median over draws", nullable=True, required=False),
            text("problem", "what keeps the market from its config's results", nullable=True, required=False),
        ),
        unique=("run",),
    ),
    Table(
        "comparison_sets",
        "one set of markets that fit the same rows of the same response",
        (
            count("comparison_set", "number of the set, from 1"),
            text("response", "KPI column", nullable=True),
            count("n_rows", "rows compared"),
            text("markets", "markets of the set, best first"),
            text("recommended", "the preferred market; missing when there is none", nullable=True),
            text("recommendation", "why, in sentences"),
            text("notes", "what the reader must know"),
        ),
        unique=("comparison_set",),
    ),
    Table(
        "decision_matrix",
        "one criterion of one market within its comparison set",
        (
            count("comparison_set", "number of the set, from 1"),
            text("criterion", "criterion of the decision matrix"),
            Column("weight", "text", "text", "how much it counts", one_of=("high", "medium", "low")),
            text("market", "partition"),
            text("value", "what the criterion says of the market"),
        ),
        unique=("comparison_set", "criterion", "market"),
    ),
)  # fmt: skip
