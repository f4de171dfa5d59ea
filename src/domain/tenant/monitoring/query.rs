//! Queries in `PromQL`, composed from the definitions of metrics.
//!
//! An operand of a comparison or a quotient is bracketed where it is one itself, so that what is read is what is
//! meant.

use super::Metric;

/// A series of a metric: its name, and the values that some labels must have.
pub(super) fn series(metric: &Metric, labels: &[(&str, &str)]) -> String {
    selector(metric.name, "", labels)
}

/// The buckets of a histogram.
pub(super) fn buckets(metric: &Metric, labels: &[(&str, &str)]) -> String {
    selector(metric.name, "_bucket", labels)
}

/// How often a histogram observed something.
pub(super) fn observations(metric: &Metric, labels: &[(&str, &str)]) -> String {
    selector(metric.name, "_count", labels)
}

/// The change of a counter in each second of a window.
pub(super) fn rate(series: &str, window: &str) -> String {
    format!("rate({series}[{window}])")
}

/// The change of a counter in a window.
pub(super) fn increase(series: &str, window: &str) -> String {
    format!("increase({series}[{window}])")
}

/// The sum over all series.
pub(super) fn sum(of: &str) -> String {
    format!("sum({of})")
}

/// One sum for each set of values of the labels.
pub(super) fn sum_by(labels: &[&str], of: &str) -> String {
    format!("sum by ({}) ({of})", labels.join(", "))
}

/// One maximum for each set of values of the labels: of two replicas that say something, during a handover.
pub(super) fn max_by(labels: &[&str], of: &str) -> String {
    format!("max by ({}) ({of})", labels.join(", "))
}

/// A quantile over all observations of a histogram in a window.
pub(super) fn quantile(share: f64, buckets: &str, window: &str) -> String {
    format!(
        "histogram_quantile({share}, {})",
        sum_by(&["le"], &rate(buckets, window))
    )
}

fn selector(name: &str, suffix: &str, labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return format!("{name}{suffix}");
    }
    let matchers: Vec<String> = labels
        .iter()
        .map(|(label, value)| format!("{label}={value:?}"))
        .collect();
    format!("{name}{suffix}{{{}}}", matchers.join(","))
}
