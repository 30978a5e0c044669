// What Grafana 11.6 says that a dashboard is, and the options of each kind of panel that ours have.
import type * as bargauge from "./node_modules/@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen.d.ts";
import type * as heatmap from "./node_modules/@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen.d.ts";
import type * as logs from "./node_modules/@grafana/schema/dist/esm/raw/composable/logs/panelcfg/x/LogsPanelCfg_types.gen.d.ts";
import type * as stat from "./node_modules/@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen.d.ts";
import type * as timeline from "./node_modules/@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen.d.ts";
import type * as table from "./node_modules/@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen.d.ts";
import type * as timeseries from "./node_modules/@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.d.ts";
import type * as dashboard from "./node_modules/@grafana/schema/dist/esm/raw/dashboard/x/dashboard_types.gen.d.ts";

export type Board = dashboard.Dashboard;

export interface Panels {
  bargauge: { options: bargauge.Options; custom: {} };
  heatmap: { options: heatmap.Options; custom: heatmap.FieldConfig };
  logs: { options: logs.Options; custom: {} };
  stat: { options: stat.Options; custom: {} };
  "state-timeline": { options: timeline.Options; custom: timeline.FieldConfig };
  table: { options: table.Options; custom: table.FieldConfig };
  timeseries: { options: timeseries.Options; custom: timeseries.FieldConfig };
}
