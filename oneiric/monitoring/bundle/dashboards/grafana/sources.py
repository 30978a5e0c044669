"""The data sources that dashboards choose from, and those that the bundle provisions."""

from __future__ import annotations

from dataclasses import dataclass

from grafana_foundation_sdk.models.dashboard import DataSourceRef


@dataclass(frozen=True, slots=True)
class DataSource:
    """A kind of data source, and the variable by which a dashboard's user chooses one."""

    type: str
    variable: str

    @property
    def reference(self) -> DataSourceRef:
        """What a panel says of where its data is: whatever the user chose."""
        return DataSourceRef(type_val=self.type, uid=f"${{{self.variable}}}")


PROMETHEUS = DataSource("prometheus", "datasource")
LOKI = DataSource("loki", "loki")
