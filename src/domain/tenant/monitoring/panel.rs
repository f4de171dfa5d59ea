//! Panels of a Grafana dashboard, and their places.
//!
//! Each kind of panel has a constructor that says what this kind needs; a panel gets its number, its place and
//! its datasource from the [`Grid`] that it is added to.

use serde_json::{Map, Value, json};

/// The columns of Grafana's grid.
const COLUMNS: u32 = 24;

/// The names of colours.
pub(super) const GREEN: &str = "green";
pub(super) const BLUE: &str = "blue";
pub(super) const ORANGE: &str = "orange";
pub(super) const RED: &str = "red";

/// From which value on what has which colour.
#[derive(Debug, Clone)]
pub(super) struct Steps(Value);

/// One panel without its place.
#[derive(Debug)]
pub(super) struct Panel {
    kind: &'static str,
    title: &'static str,
    description: &'static str,
    queries: Vec<(String, &'static str)>,
    defaults: Value,
    overrides: Vec<Value>,
    options: Value,
    transformations: Vec<Value>,
}

/// Panels from left to right and line by line.
#[derive(Debug, Default)]
pub(super) struct Grid {
    panels: Vec<Value>,
    /// Where the next panel begins.
    x: u32,
    /// Where the line of panels begins.
    y: u32,
    /// How high the line is so far.
    height: u32,
}

impl Steps {
    /// A colour for all values, and others from some values on; these rise.
    pub(super) fn new(first: &str, others: &[(f64, &str)]) -> Self {
        let mut steps = vec![json!({"color": first, "value": null})];
        for (value, color) in others {
            steps.push(json!({"color": color, "value": value}));
        }
        Self(json!({"mode": "absolute", "steps": steps}))
    }

    /// Whether one colour is for all values.
    fn is_plain(&self) -> bool {
        self.0["steps"].as_array().is_none_or(|all| all.len() < 2)
    }

    fn into_value(self) -> Value {
        self.0
    }
}

impl Panel {
    /// One large number.
    pub(super) fn stat(
        title: &'static str,
        description: &'static str,
        unit: &str,
        steps: Steps,
        expression: String,
    ) -> Self {
        let defaults = json!({
            "unit": unit,
            "color": {"mode": "thresholds"},
            "thresholds": steps.into_value(),
        });
        let options = json!({
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "textMode": "value",
            "reduceOptions": reduce(),
        });
        let queries = vec![(expression, title)];
        Self::new("stat", title, description, queries, defaults, options)
    }

    /// A share of all, as a dial.
    pub(super) fn gauge(
        title: &'static str,
        description: &'static str,
        steps: Steps,
        expression: String,
    ) -> Self {
        let defaults = json!({
            "unit": "percentunit",
            "min": 0,
            "max": 1,
            "color": {"mode": "thresholds"},
            "thresholds": steps.into_value(),
        });
        let options = json!({
            "orientation": "auto",
            "showThresholdLabels": false,
            "showThresholdMarkers": true,
            "reduceOptions": reduce(),
        });
        let queries = vec![(expression, title)];
        Self::new("gauge", title, description, queries, defaults, options)
    }

    /// Lines over time: queries with the legends of their series. Thresholds are dashed lines.
    pub(super) fn lines(
        title: &'static str,
        description: &'static str,
        unit: &str,
        steps: Steps,
        queries: Vec<(String, &'static str)>,
    ) -> Self {
        let style = if steps.is_plain() { "off" } else { "dashed" };
        let defaults = json!({
            "unit": unit,
            "min": 0,
            "color": {"mode": "palette-classic"},
            "thresholds": steps.into_value(),
            "custom": {
                "drawStyle": "line",
                "lineWidth": 1,
                "fillOpacity": 10,
                "showPoints": "auto",
                "spanNulls": false,
                "thresholdsStyle": {"mode": style},
            },
        });
        let options = json!({
            "legend": {
                "showLegend": true,
                "displayMode": "table",
                "placement": "bottom",
                "calcs": ["lastNotNull", "max"],
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        });
        Self::new("timeseries", title, description, queries, defaults, options)
    }

    /// A table: its labels as columns, and a column for each query, with its heading. The largest values of the
    /// last column come first.
    pub(super) fn table(
        title: &'static str,
        description: &'static str,
        labels: &[&str],
        queries: Vec<(String, &'static str)>,
    ) -> Self {
        let defaults = json!({
            "unit": "none",
            "color": {"mode": "thresholds"},
            "thresholds": Steps::new(GREEN, &[]).into_value(),
            "custom": {"align": "auto", "filterable": true, "cellOptions": {"type": "auto"}},
        });
        let mut headings = Map::new();
        let mut order = Map::new();
        let mut column = |name: String, heading: String| {
            order.insert(name.clone(), json!(order.len()));
            headings.insert(name, json!(heading));
        };
        for label in labels {
            column((*label).to_owned(), capitalised(label));
        }
        for (index, (_, heading)) in queries.iter().enumerate() {
            // Grafana names the values of the only query of a panel without its letter.
            let name = if queries.len() == 1 {
                "Value".to_owned()
            } else {
                format!("Value #{}", letter(index))
            };
            column(name, (*heading).to_owned());
        }
        let sorted = queries.last().map_or(title, |(_, heading)| *heading);
        let options = json!({
            "showHeader": true,
            "cellHeight": "sm",
            "footer": {"show": false, "enablePagination": true},
            "sortBy": [{"displayName": sorted, "desc": true}],
        });
        let organize = json!({
            "id": "organize",
            "options": {
                "excludeByName": {"Time": true},
                "indexByName": order,
                "renameByName": headings,
            },
        });
        let mut panel = Self::new("table", title, description, queries, defaults, options);
        panel.transformations = vec![json!({"id": "merge", "options": {}}), organize];
        panel
    }

    fn new(
        kind: &'static str,
        title: &'static str,
        description: &'static str,
        queries: Vec<(String, &'static str)>,
        defaults: Value,
        options: Value,
    ) -> Self {
        Self {
            kind,
            title,
            description,
            queries,
            defaults,
            overrides: Vec::new(),
            options,
            transformations: Vec::new(),
        }
    }

    /// Gives lines that mean something their colours, by their legends.
    pub(super) fn coloured(mut self, colours: &[(&str, &str)]) -> Self {
        for (name, color) in colours {
            let color = json!({"mode": "fixed", "fixedColor": color});
            self.set(name, &[("color", color)]);
        }
        self
    }

    /// Has the smallest values of a table come first.
    pub(super) fn ascending(mut self) -> Self {
        self.options["sortBy"][0]["desc"] = json!(false);
        self
    }

    /// Shows the values of a column as words with colours.
    pub(super) fn mapped(mut self, name: &str, words: &[(u8, &str, &str)]) -> Self {
        let mut options = Map::new();
        for (index, (value, text, color)) in words.iter().enumerate() {
            let word = json!({"text": text, "color": color, "index": index});
            options.insert(value.to_string(), word);
        }
        let mappings = json!([{"type": "value", "options": options}]);
        let cell = json!({"type": "color-text"});
        self.set(
            name,
            &[("mappings", mappings), ("custom.cellOptions", cell)],
        );
        self
    }

    /// Colours the values of a column, and gives them a unit.
    pub(super) fn highlighted(mut self, name: &str, unit: &str, steps: Steps) -> Self {
        let cell = json!({"type": "color-text"});
        let properties = [
            ("unit", json!(unit)),
            ("thresholds", steps.into_value()),
            ("custom.cellOptions", cell),
        ];
        self.set(name, &properties);
        self
    }

    fn set(&mut self, name: &str, properties: &[(&str, Value)]) {
        let properties: Vec<Value> = properties
            .iter()
            .map(|(id, value)| json!({"id": id, "value": value}))
            .collect();
        self.overrides.push(json!({
            "matcher": {"id": "byName", "options": name},
            "properties": properties,
        }));
    }

    /// Returns a query as this kind of panel wants it.
    fn target(&self, index: usize, expression: &str, legend: &str) -> Value {
        let is_range = self.kind == "timeseries";
        json!({
            "refId": letter(index),
            "datasource": datasource(),
            "editorMode": "code",
            "expr": expression,
            "legendFormat": legend,
            "format": if self.kind == "table" { "table" } else { "time_series" },
            "range": is_range,
            "instant": !is_range,
        })
    }
}

impl Grid {
    /// Adds a panel on the right of the last one, or on a new line if it does not fit.
    pub(super) fn add(&mut self, width: u32, height: u32, panel: Panel) {
        if self.x + width > COLUMNS {
            self.end_line();
        }
        let targets: Vec<Value> = panel
            .queries
            .iter()
            .enumerate()
            .map(|(index, (expression, legend))| panel.target(index, expression, legend))
            .collect();
        let mut value = json!({
            "id": self.panels.len() + 1,
            "type": panel.kind,
            "title": panel.title,
            "description": panel.description,
            "gridPos": {"x": self.x, "y": self.y, "w": width, "h": height},
            "datasource": datasource(),
            "targets": targets,
            "fieldConfig": {"defaults": panel.defaults, "overrides": panel.overrides},
            "options": panel.options,
        });
        let transformations = panel.transformations;
        if !transformations.is_empty() {
            value["transformations"] = Value::Array(transformations);
        }
        self.panels.push(value);
        self.x += width;
        self.height = self.height.max(height);
    }

    /// Adds a heading over what follows.
    pub(super) fn heading(&mut self, title: &str) {
        self.end_line();
        self.panels.push(json!({
            "id": self.panels.len() + 1,
            "type": "row",
            "title": title,
            "gridPos": {"x": 0, "y": self.y, "w": COLUMNS, "h": 1},
            "collapsed": false,
            "panels": [],
        }));
        self.y += 1;
    }

    /// Returns the panels.
    pub(super) fn into_panels(self) -> Vec<Value> {
        self.panels
    }

    fn end_line(&mut self) {
        self.x = 0;
        self.y += self.height;
        self.height = 0;
    }
}

/// The Prometheus that the dashboard's variable chooses.
fn datasource() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

/// Which of a series' values a panel shows that shows one.
fn reduce() -> Value {
    json!({"calcs": ["lastNotNull"], "fields": "", "values": false})
}

/// The letter of a query; panels have a few.
fn letter(index: usize) -> char {
    ('A'..='Z').nth(index).unwrap_or('Z')
}

/// The heading of a label's column.
fn capitalised(label: &str) -> String {
    if label == "lynqnode" {
        return "Node".to_owned();
    }
    let mut rest = label.chars();
    rest.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(rest).collect()
    })
}
