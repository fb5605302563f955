"""The raw assets: one for each dataset of the services, built from the dataset's declaration."""

import dagster as dg
from pydantic import Field

from co2_assets.contracts import DATASETS, POWER_SYSTEM_RIGHT_NOW, Dataset, ServiceName
from co2_assets.contracts.tables import AGGREGATED_DATA
from co2_assets.contracts.weather import WEATHER_ATTRIBUTION, WEATHER_ATTRIBUTION_URL
from co2_assets.defs.assets.metadata import FETCHED, OWNERS, definition_metadata, table_metadata
from co2_assets.pipeline.ingest import update
from co2_assets.pipeline.run import Run

WRITER_POOL = "warehouse"

energi_data_service = dg.AssetSpec(
    "energi_data_service",
    group_name=FETCHED,
    description="Energinet's open data service, https://www.energidataservice.dk, or the recording or the "
    "simulator that replaces it. This pipeline only reads from it.",
    kinds={"api"},
    owners=OWNERS,
)

open_meteo = dg.AssetSpec(
    "open_meteo",
    group_name=FETCHED,
    description=f"Open-Meteo's weather forecast, {WEATHER_ATTRIBUTION_URL}, or the recording or the "
    f"simulator that replaces it. {WEATHER_ATTRIBUTION}; the free service is for non-commercial use.",
    kinds={"api"},
    owners=OWNERS,
)
SERVICES = {ServiceName.ENERGI_DATA_SERVICE: energi_data_service, ServiceName.OPEN_METEO: open_meteo}


class FetchConfig(dg.Config):
    """Run configuration of a raw dataset."""

    deepen: bool = Field(
        default=False,
        description="Fetch older history instead of the newest rows, within the rate limit of the service.",
    )


def fetch_check_name(dataset: Dataset) -> str:
    """Return the name of the check that shows whether the last fetch of the dataset succeeded."""
    return f"{dataset.name}_fetched"


def _has_no_measurements(run: Run) -> bool:
    """Return whether no measurement was ever stored, so that nothing can be forecast."""
    tables = (POWER_SYSTEM_RIGHT_NOW.name, AGGREGATED_DATA.name)
    return all(run.warehouse.read(f"SELECT 1 FROM {name} LIMIT 1").empty for name in tables)


def raw_asset(dataset: Dataset) -> dg.AssetsDefinition:
    """Return the asset that keeps the dataset's table up to date.

    A failed fetch does not fail the asset: the check fails, the log shows the error with its remedy, and
    the forecast is made without the newest rows and says so. The asset fails only if no measurement was
    ever stored, because then nothing can be forecast.
    """

    @dg.asset(
        name=dataset.name,
        group_name=FETCHED,
        deps=[SERVICES[dataset.service]],
        description=dataset.description,
        kinds={"api", "duckdb"},
        owners=OWNERS,
        metadata=definition_metadata(dataset.table),
        pool=WRITER_POOL,
        check_specs=[
            dg.AssetCheckSpec(
                fetch_check_name(dataset),
                asset=dataset.name,
                description="The last fetch succeeded: the service answered in the expected form.",
            )
        ],
    )
    def fetch(
        context: dg.AssetExecutionContext, config: FetchConfig, pipeline: dg.ResourceParam[Run]
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        report = update(pipeline, dataset, deepen=config.deepen, progress=context.log.info)
        if report.requarantined:
            context.log.warning(
                f"{report.requarantined} stored rows broke their contract or were not asked for, and were "
                "moved to quarantine"
            )
        metadata = table_metadata(pipeline, dataset.table, dataset.time_column)
        if report.error is not None:
            context.log.error(report.sentence())
            if dataset is POWER_SYSTEM_RIGHT_NOW and _has_no_measurements(pipeline):
                raise dg.Failure(
                    f"{dataset.name} holds no rows and could not be fetched: {report.error}"
                ) from report.error
        return dg.MaterializeResult(
            metadata={
                **metadata,
                "outcome": report.sentence(),
                "windows": dg.MetadataValue.md("\n".join(f"- {w} UTC" for w in report.windows) or "none"),
                "rows_new": report.new,
                "rows_changed": report.changed,
                "values_quarantined": report.quarantined,
                "windows_remaining": report.remaining,
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name=fetch_check_name(dataset),
                    passed=report.error is None,
                    severity=dg.AssetCheckSeverity.ERROR,
                    description=report.sentence(),
                )
            ],
        )

    return fetch


raw_energy_data = [raw_asset(dataset) for dataset in DATASETS]
